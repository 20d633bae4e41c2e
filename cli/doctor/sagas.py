"""Judgements about the sagas themselves, and about clocks. Pure: facts and the time in, checks out."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from adapters.facts import Fact, Skew, Unknown
from cli.doctor.check import Check, failed, judged, listed, ok, unknown, warning
from cli.doctor.environment import Served
from cli.render import age
from orchestrator.core.state import Status
from orchestrator.dead_letters import COUNTED
from orchestrator.health import SagaFacts
from orchestrator.in_flight import is_changed, is_unknown
from orchestrator.metrics.census import Row
from orchestrator.store import InFlight
from sagas import Definitions

OLD = timedelta(minutes=15)  #: as in docs/metrics.md
OVERDUE = timedelta(seconds=60)  #: a sweep comes four times a second
NEARLY_FULL = 0.8
SKEW_NOTICED = timedelta(seconds=0.5)
SKEW_HARMFUL = timedelta(seconds=5)


def judge_sagas(
    facts: SagaFacts, definitions: Fact[Definitions], served: Fact[Served], max_active: int, now: datetime
) -> list[Check]:
    """Everything about what is in flight, waits for a person, or could not be handled."""
    there: Served = frozenset() if isinstance(served, Unknown) else served
    return [
        _in_flight(facts.definitions, definitions, there),
        judged("sagas-stuck", facts.census, _stuck),
        judged("sagas-needing-attention", facts.attention, _attention),
        judged("sagas-in-flight", facts.census, lambda name, rows: _oldest(name, rows, now)),
        judged("timers", facts.next_wake_up, lambda name, first: _timers(name, first, now, serving=bool(there))),
        judged("capacity", facts.census, lambda name, rows: _capacity(name, rows, max_active)),
        judged("dead-letters", facts.dead_letters, _dead_letters),
    ]


def judge_skew(name: str, fact: Fact[Skew]) -> Check:
    """A server's clock against this machine's."""
    return judged(name, fact, _skew)


def _skew(name: str, skew: Skew) -> Check:
    off = max(abs(skew.ahead) - skew.uncertainty, timedelta())
    seconds = skew.ahead.total_seconds()
    said = f"{abs(seconds):.3f} s {'ahead of' if seconds >= 0 else 'behind'} this machine"
    remedy = "Let NTP (chrony, systemd-timesyncd) set the clocks of all machines; `date -u` on each shows which is off."
    if off >= SKEW_HARMFUL:
        return failed(name, f"{said}: deadlines and expiries come too early or too late", remedy)
    if off >= SKEW_NOTICED:
        return warning(name, said, remedy)
    return ok(name, said)


def _in_flight(found: Fact[Sequence[InFlight]], definitions: Fact[Definitions], served: Served) -> Check:
    name = "definitions-in-flight"
    if isinstance(found, Unknown):
        return unknown(name, found.reason)
    if isinstance(definitions, Unknown):
        return unknown(name, "the definitions could not be loaded")
    changed = [f"{_called(one)}: {one.count} began with another one" for one in found if is_changed(one, definitions)]
    unknown_here = [one for one in found if is_unknown(one, definitions)]
    strange = [
        f"{_called(one)}: {one.count} in flight" for one in unknown_here if (one.saga, one.version) not in served
    ]
    if changed:
        remedy = (
            "Put the old definition back, its input, data and messages too, and give the changed one a new version "
            "beside it, with classes of its own for what differs, and name= for endpoints whose messages do."
        )
        return failed(name, f"changed under the same version: {listed(changed)}", remedy)
    if strange:
        remedy = "Put the module that has it into SAGA_DEFINITIONS, and keep it there until its sagas have ended."
        return failed(name, f"not known here: {listed(strange)}", remedy)
    where = ", some only to the service" if unknown_here else ""
    return ok(name, f"all known{where}: {listed([_called(one) for one in found])}" if found else "none")


def _called(one: InFlight) -> str:
    return f"{one.saga} version {one.version}"


def _stuck(name: str, rows: Sequence[Row]) -> Check:
    stuck = [f"{row.count} of {row.saga}" for row in rows if row.status is Status.STUCK]
    if stuck:
        remedy = "`saga ls --status stuck` names them, `saga show ID` says why; then `saga retry`, `skip` or `abort`."
        return warning(name, f"wait for a person: {listed(stuck)}", remedy)
    return ok(name, "none")


def _attention(name: str, ids: Sequence[str]) -> Check:
    if ids:
        remedy = "`saga show ID` says what the step waits for: its participant answers `failed`, or not at all."
        return warning(name, f"a step past the pivot does not succeed: {listed(list(ids))}", remedy)
    return ok(name, "none")


def _oldest(name: str, rows: Sequence[Row], now: datetime) -> Check:
    moving = [row for row in rows if row.status is not Status.STUCK]
    count = sum(row.count for row in moving)
    if not moving:
        return ok(name, "none")
    oldest = min(row.oldest for row in moving)
    said = f"{count}, the oldest for {age(now - oldest)}"
    if now - oldest >= OLD:
        remedy = "`saga ls --status running` and `--status compensating` show them, `saga show ID` what one waits for."
        return warning(name, said, remedy)
    return ok(name, said)


def _timers(name: str, first: datetime | None, now: datetime, *, serving: bool) -> Check:
    """Every saga in flight has a timer, and any orchestrator that runs looks after them all."""
    if first is not None and now - first >= OVERDUE and serving:
        said = f"one is overdue for {age(now - first)}, though a service answers"
        return failed(name, said, "Its log says why. In `saga up` a handler that blocks (`time.sleep`) stops it, too.")
    if first is not None and now - first >= OVERDUE:
        said = f"one is overdue for {age(now - first)}: no orchestrator looks after the sagas"
        return failed(name, said, "Start `saga serve` or `saga up`; if one runs, its log says why it can't.")
    return ok(name, "none is overdue")


def _capacity(name: str, rows: Sequence[Row], most: int) -> Check:
    count = sum(row.count for row in rows)
    said = f"{count} of {most} sagas in flight"
    if count >= most:
        return failed(name, f"{said}: new ones are refused", "Let some end (see `backlog`), or raise SAGA_MAX_ACTIVE.")
    if count >= NEARLY_FULL * most:
        return warning(name, said, "At that many, new ones are refused. See `backlog`, or raise SAGA_MAX_ACTIVE.")
    return ok(name, said)


def _dead_letters(name: str, count: int) -> Check:
    if count:
        said = f"{count}{'' if count < COUNTED else ' or more'} messages that nobody could handle wait"
        return warning(name, said, "`saga dead-letters ls` shows them with their reasons; redrive or delete each.")
    return ok(name, "none")

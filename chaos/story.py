"""What happened to one saga, as text: orchestrators on the left, the bus in the middle, participants on the right.

0.101  orchestrator-1 stores reserve-stock action
0.101                                        ──▶ reserve-stock action attempt 1
0.104                                            inventory-2 commits reserve-stock action
0.106                                        ◀── reserve-stock action succeeded
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from chaos.evidence import Evidence, Json, Violation
from chaos.faults import Point
from chaos.report.content import History
from chaos.sim.nemesis import Event

_WIDTH = 44
_WORDS = {Point.INSERT.value: "stores", Point.SAVE.value: "saves", Point.COMMIT.value: "commits"}


class Ran(Protocol):
    """A run of either kind, as far as its story is concerned."""

    @property
    def violations(self) -> Sequence[Violation]: ...
    @property
    def trace(self) -> Sequence[Event]: ...
    @property
    def evidence(self) -> Evidence: ...


MOST_VIOLATIONS = 10  #: that are shown


def failure(result: Ran) -> str:
    """What did not hold in a run, and the whole story of the first saga that it is about."""
    documents = {saga["_id"]: saga for saga in result.evidence.sagas}
    saga_id = next((one.saga_id for one in result.violations if one.saga_id), "")
    told = story(saga_id, result.trace, documents.get(saga_id)) if saga_id else ""
    return "\n".join([*map(str, result.violations[:MOST_VIOLATIONS]), "", told])


def history_of(result: Ran) -> History | None:
    """The saga that a report shows: the first that something is wrong with, else the one that most befell."""
    documents = {saga["_id"]: saga for saga in result.evidence.sagas}
    wrong = [one.saga_id for one in result.violations if one.saga_id in documents]
    told = Counter(event.about.split("/")[0] for event in result.trace)
    chosen = wrong[0] if wrong else max(documents, key=lambda saga_id: told[saga_id], default=None)
    if chosen is None:
        return None
    events = [event for event in result.trace if _concerns(event, chosen)]
    return History(chosen, str(documents[chosen]["status"]), events)


def story(saga_id: str, trace: Iterable[Event], saga: Json | None = None) -> str:
    """The saga's history as a diagram; `saga` is its document, for how it ended."""
    lines = [_line(event) for event in trace if _concerns(event, saga_id)]
    ended = [] if saga is None else _ended(saga)
    return "\n".join([f"saga {saga_id}", *lines, *ended])


def _concerns(event: Event, saga_id: str) -> bool:
    """What is about the saga, and what happened to everybody."""
    return event.about.split("/")[0] == saga_id or not event.about


def _line(event: Event) -> str:
    about = " ".join(event.about.split("/")[1:])
    at = f"{event.at_s:10.3f}  "
    if event.who == "bus" and event.what == Point.COMMAND.value:
        return f"{at}{'':{_WIDTH}}──▶ {about}"
    if event.who == "bus" and event.what == Point.REPLY.value:
        return f"{at}{'':{_WIDTH}}◀── {about}"
    if event.what in _WORDS:
        told = f"{event.who} {_WORDS[event.what]} {about}"
        return f"{at}{told}" if event.who.startswith("orchestrator") else f"{at}{'':{_WIDTH + 4}}{told}"
    return f"{at}{'─' if event.who == 'run' else '✘'} {event.who}: {event.what} {about}".rstrip()


def _ended(saga: Json) -> Iterator[str]:
    steps: Sequence[Json] = saga["steps"]
    yield f"{'':12}{saga['status']}: {', '.join(step['name'] + ' ' + step['status'] for step in steps)}"

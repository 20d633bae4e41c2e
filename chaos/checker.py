"""Tells from what a run left behind whether anything was lost, done twice, or left half done.

It imports nothing of the orchestrator, the participants or their adapters: a mistake there must not hide itself here.
What it knows of the protocol is in `INVARIANTS`.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from chaos.evidence import Evidence, Json, Violation

Found = Iterator[tuple[str, str]]  #: saga id (or "") and what is wrong

ENDED = ("completed", "compensated")
MOVES = {
    "running": {"running", "compensating", "completed", "compensated", "stuck"},
    "compensating": {"compensating", "compensated", "stuck"},
    "stuck": {"stuck", "running", "compensating", "completed", "compensated"},
}


@dataclass(frozen=True)
class Case:
    """The evidence, arranged for looking things up."""

    evidence: Evidence

    @cached_property
    def sagas(self) -> Mapping[str, Json]:
        return {saga["_id"]: saga for saga in self.evidence.sagas}

    @cached_property
    def rows(self) -> Mapping[str, list[Json]]:
        """The ledger's rows by saga, in order."""
        found: defaultdict[str, list[Json]] = defaultdict(list)
        for row in self.evidence.ledger:
            found[row["saga_id"]].append(row)
        return found

    @cached_property
    def _definitions(self) -> Mapping[tuple[str, int], Json]:
        return {(each["name"], each["version"]): each for each in self.evidence.definitions}

    def steps(self, saga: Json) -> Sequence[Json]:
        """The steps of the saga's definition."""
        steps: Sequence[Json] = self._definitions[saga["saga"], saga["version"]]["steps"]
        return steps

    @cached_property
    def mute(self) -> Mapping[str, str]:
        """Steps of completed sagas whose participant has no row in its ledger, for no saga at all; with its name."""
        telling = {row["participant"] for row in self.evidence.ledger}
        completed = [saga for saga in self.evidence.sagas if saga["status"] == "completed"]
        steps = {step["name"]: step["action"]["participant"] for saga in completed for step in self.steps(saga)}
        return {step: participant for step, participant in steps.items() if participant not in telling}

    def effects(self, saga_id: str) -> Counter[tuple[str, str, str]]:
        """How often each step's action and compensation took effect, by step, kind and key."""
        return Counter((row["step"], row["kind"], row["key"]) for row in self.rows.get(saga_id, ()))

    def net(self, saga_id: str, step: str) -> Counter[str]:
        """What is left of a step, by key."""
        left: Counter[str] = Counter()
        for row in self.rows.get(saga_id, ()):
            if row["step"] == step:
                left[row["key"]] += row["amount"]
        return left


def accepted_sagas_exist(case: Case) -> Found:
    """No accepted start is lost, and no saga comes from nowhere."""
    asked = {request.id: request for request in case.evidence.requests}
    for request in asked.values():
        if request.accepted and request.id not in case.sagas:
            yield request.id, "was accepted and is gone"
        if any(answer != request.id for answer in request.answers):
            yield request.id, f"one request started several sagas: {sorted(set(request.answers))}"
    for saga_id in case.sagas.keys() - asked.keys():
        yield saga_id, "exists, and nobody asked for it"


def sagas_end(case: Case) -> Found:
    """Each saga has ended, and nothing of it is pending."""
    for saga_id, saga in case.sagas.items():
        if saga["status"] not in ENDED:
            yield saga_id, f"has not ended: {saga['status']}, {_failure(saga)}"
        elif saga["pending"]:
            yield saga_id, f"has ended with {saga['pending'][0]['command_id']} pending"


def effects_happen_once(case: Case) -> Found:
    """No effect of a command happens twice."""
    for saga_id in case.rows:
        for (step, kind, key), times in case.effects(saga_id).items():
            if times > 1:
                yield saga_id, f"the {kind} of {step} on {key} took effect {times} times"


def effects_can_be_seen(case: Case) -> Found:
    """Whoever did something for a completed saga says so in its ledger."""
    for participant in sorted(set(case.mute.values())):
        steps = ", ".join(step for step, its in case.mute.items() if its == participant)
        yield (
            "",
            f"{participant} has no rows in its ledger, so nobody can tell what it did: it must write one in {steps}",
        )


def completed_sagas_are_done(case: Case) -> Found:
    """Of a completed saga every step is done, and none is undone; a skipped one was done by hand."""
    for saga_id, saga in case.sagas.items():
        if saga["status"] != "completed":
            continue
        done = Counter((row["step"], row["kind"]) for row in case.rows.get(saga_id, ()))
        for step in saga["steps"]:
            if step["status"] not in ("succeeded", "skipped"):
                yield saga_id, f"is completed, but {step['name']} is {step['status']}"
            if step["status"] == "succeeded" and not done[step["name"], "action"] and step["name"] not in case.mute:
                yield saga_id, f"is completed, but {step['name']} never took effect"
            if done[step["name"], "compensation"]:
                yield saga_id, f"is completed, but {step['name']} was undone"


def compensated_sagas_leave_nothing(case: Case) -> Found:
    """Of a compensated saga nothing is left of what can be undone, and its pivot has not happened."""
    for saga_id, saga in case.sagas.items():
        if saga["status"] != "compensated":
            continue
        by_hand = {step["name"] for step in saga["steps"] if step["status"] == "skipped"}
        for step in case.steps(saga):
            must_be_gone = step["undo"] is not None or step["kind"] != "compensatable"
            for key, left in case.net(saga_id, step["name"]).items():
                if left and must_be_gone and step["name"] not in by_hand:
                    yield saga_id, f"is compensated, but {step['name']} left {left:+d} on {key}"


def only_effects_are_undone(case: Case) -> Found:
    """A compensation follows its action, and undoes the newest step first."""
    for saga_id, rows in case.rows.items():
        if saga_id not in case.sagas:
            continue
        order = {step["name"]: index for index, step in enumerate(case.steps(case.sagas[saga_id]))}
        done: set[str] = set()
        oldest_undone = len(order)
        for row in rows:
            if row["kind"] == "action":
                done.add(row["step"])
                continue
            if row["step"] not in done:
                yield saga_id, f"{row['step']} was undone before it was done"
            if order[row["step"]] > oldest_undone:
                yield saga_id, f"{row['step']} was undone after an older step"
            oldest_undone = min(oldest_undone, order[row["step"]])


def ledgers_and_sagas_agree(case: Case) -> Found:
    """Whatever has a row in a ledger belongs to a saga that says so."""
    for saga_id, rows in case.rows.items():
        if saga_id not in case.sagas:
            yield saga_id, f"{rows[0]['step']} took effect, and there is no such saga"
            continue
        known = {step["name"]: step["status"] for step in case.sagas[saga_id]["steps"]}
        for step, status in known.items():
            effects = [row for row in rows if row["step"] == step]
            if effects and status in ("pending", "rejected"):
                yield saga_id, f"{step} took effect, but the saga says {status}"


def balances_are_sums(case: Case) -> Found:
    """For each key, what it began with and the rows of the ledger make its balance."""
    sums: Counter[tuple[str, str]] = Counter(case.evidence.openings)
    for row in case.evidence.ledger:
        sums[row["participant"], row["key"]] += row["amount"]
    for key in sorted(sums.keys() | case.evidence.balances.keys()):
        balance = case.evidence.balances.get(key, 0)
        if balance != sums[key]:
            yield "", f"{key[0]}: {key[1]} has {balance}, the ledger says {sums[key]}"


def histories_are_whole(case: Case) -> Found:
    """Revisions follow each other without a gap, along allowed moves, and end with an end."""
    for saga_id, saga in case.sagas.items():
        history: Sequence[Any] = saga["history"]
        before: Any = None
        for entry in history:
            first = entry["revision"] - entry.get("count", 1) + 1
            if before is not None and first != before["revision"] + 1:
                yield saga_id, f"revision {first} follows {before['revision']}"
            if before is not None and entry["status"] not in MOVES.get(before["status"], set()):
                yield saga_id, f"{entry['status']} follows {before['status']} at revision {entry['revision']}"
            before = entry
        if (before["revision"], before["status"]) != (saga["revision"], saga["status"]):
            yield saga_id, f"is at revision {saga['revision']}, its history ends at {before['revision']}"


def sagas_cost_little(case: Case) -> Found:
    """No saga causes a flood of messages: whatever is repeated for ever is repeated more and more slowly."""
    for saga_id, count in case.evidence.messages.items():
        if count > case.evidence.most_messages:
            yield saga_id, f"took {count} messages, {case.evidence.most_messages} are allowed"


def few_sagas_get_stuck(case: Case) -> Found:
    """People are called for what only people can mend."""
    stuck = [saga["_id"] for saga in case.evidence.sagas if any(one["status"] == "stuck" for one in saga["history"])]
    if len(stuck) > case.evidence.most_stuck:
        yield stuck[0], f"{len(stuck)} sagas were stuck, {case.evidence.most_stuck} may be"


def nothing_unexpected_was_logged(case: Case) -> Found:
    """Nothing was logged that only a mistake in the code causes."""
    yield from (("", bug) for bug in case.evidence.bugs)


INVARIANTS: Mapping[str, Callable[[Case], Found]] = {
    "accepted sagas exist": accepted_sagas_exist,
    "every saga ends": sagas_end,
    "effects happen once": effects_happen_once,
    "effects can be seen": effects_can_be_seen,
    "completed means done": completed_sagas_are_done,
    "compensated means undone": compensated_sagas_leave_nothing,
    "only effects are undone, newest first": only_effects_are_undone,
    "ledgers and sagas agree": ledgers_and_sagas_agree,
    "balances are sums": balances_are_sums,
    "histories are whole": histories_are_whole,
    "sagas cost little": sagas_cost_little,
    "few sagas get stuck": few_sagas_get_stuck,
    "nothing unexpected was logged": nothing_unexpected_was_logged,
}


def check(evidence: Evidence) -> list[Violation]:
    """Everything that is wrong."""
    case = Case(evidence)
    return [
        Violation(name, saga_id, detail)
        for name, invariant in INVARIANTS.items()
        for saga_id, detail in invariant(case)
    ]


def _failure(saga: Json) -> str:
    failure = saga.get("failure")
    return f"because of {failure['step']}: {failure['code']} {failure['detail']}" if failure else "without a failure"

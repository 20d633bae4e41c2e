"""The barrier on a real MongoDB: repeats, races and errors between instances with connections of their own."""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, TypeVar, cast

import pytest

from adapters.mongo import Driver
from participants.barrier import Row
from participants.context import BatchTransaction, Context, ExternalContext, Transaction
from participants.inbox import Body, Inbox, InboxTransaction
from participants.participant import Participant
from sagas.contracts import Reject
from support.participants import (
    PUT_BACK,
    TAKE,
    PutBack,
    PutBackDone,
    Take,
    Taken,
    action,
    compensation,
    outcome,
    replies_of,
    revoke,
)
from support.participants_mongo import Fleet, fleet_on

T = TypeVar("T")
ROUNDS = 1_000 if os.environ.get("SAGA_SOAK") else 100


@pytest.fixture(params=["motor", "pymongo"])
async def fleet(request: pytest.FixtureRequest, mongo_url: str) -> AsyncIterator[Fleet]:
    async with fleet_on(mongo_url, cast("Driver", request.param)) as fleet:
        yield fleet


async def take(command: Take, tx: Transaction) -> Taken:
    """Writes its effect first, then looks whether it may: more than 100 is refused."""
    await note(tx, tx, command.amount)
    if command.amount > 100:
        raise Reject("empty")
    check_opens(command)
    return Taken(amount=command.amount)


async def put_back(_command: PutBack, tx: Transaction) -> PutBackDone:
    await note(tx, tx, -tx.action.of(TAKE).reply.amount)
    return PutBackDone()


async def take_all(commands: Sequence[Take], tx: BatchTransaction) -> Sequence[Taken | Reject]:
    for command, context in zip(commands, tx.contexts, strict=True):
        await note(tx, context, command.amount)
        check_opens(command)
    return [Taken(amount=command.amount) for command in commands]


async def put_all_back(commands: Sequence[PutBack], tx: BatchTransaction) -> Sequence[PutBackDone | Reject]:
    for context in tx.contexts:
        await note(tx, context, -context.action.of(TAKE).reply.amount)
    return [PutBackDone() for _ in commands]


async def note(tx: Transaction | BatchTransaction, context: Context, amount: int) -> None:
    """An effect is a document in `effects`."""
    effect = {"command": context.command_id, "saga": context.saga_id, "amount": amount}
    await tx.database["effects"].insert_one(effect, session=tx.session)


def check_opens(command: Take) -> None:
    if command.till == "broken":
        raise OSError("the till does not open")


def bank(*, batch: bool) -> Participant:
    participant = Participant("bank")
    if batch:
        participant.handles(TAKE, batch=True)(take_all)
        participant.handles(PUT_BACK, batch=True)(put_all_back)
    else:
        participant.handles(TAKE)(take)
        participant.handles(PUT_BACK)(put_back)
    return participant


async def effects(fleet: Fleet) -> Counter[str]:
    """How often each command took effect."""
    return Counter([each["command"] async for each in fleet.database("bank")["effects"].find()])


async def nets(fleet: Fleet) -> dict[str, int]:
    """What is left of each saga's effects."""
    sums: dict[str, int] = {}
    async for each in fleet.database("bank")["effects"].find():
        sums[each["saga"]] = sums.get(each["saga"], 0) + each["amount"]
    return sums


both_modes = pytest.mark.parametrize("batch", [True, False], ids=["batch", "single"])


@both_modes
async def test_a_command_delivered_fifty_times_at_once_to_two_instances_has_one_effect(
    fleet: Fleet, *, batch: bool
) -> None:
    instances = [fleet.instance(bank(batch=batch)) for _ in range(2)]
    copies = [replies_of(instances[number % 2], action(amount=3, attempt=number + 1)) for number in range(50)]
    replies = [reply for (reply,) in await asyncio.gather(*copies)]
    assert {outcome(reply) for reply in replies} == {"succeeded"}
    assert {reply.data["amount"] for reply in replies} == {3}
    assert sorted(reply.attempt or 0 for reply in replies) == list(range(1, 51))
    assert await effects(fleet) == {"s1/take/action": 1}


@both_modes
async def test_an_action_after_its_compensation_is_refused(fleet: Fleet, *, batch: bool) -> None:
    one, other = fleet.instance(bank(batch=batch)), fleet.instance(bank(batch=batch))
    (undone,) = await replies_of(one, compensation())
    (refused,) = await replies_of(other, action())
    assert (outcome(undone), outcome(refused)) == ("succeeded", "rejected compensated")
    assert await effects(fleet) == {}


@both_modes
async def test_an_action_and_its_compensation_at_once_always_come_to_nothing(fleet: Fleet, *, batch: bool) -> None:
    """Whoever is first: nothing is left once the compensation is answered `succeeded`."""
    one, other = fleet.instance(bank(batch=batch)), fleet.instance(bank(batch=batch))
    seen: Counter[str] = Counter()
    for number in range(ROUNDS):
        saga = f"s{number}"
        pair = [replies_of(one, action(saga)), replies_of(other, compensation(saga))]
        (done,), (undone,) = await asyncio.gather(*(pair if number % 2 else reversed(pair)))
        done, undone = (done, undone) if number % 2 else (undone, done)
        seen[outcome(done)] += 1
        assert outcome(undone) == "succeeded"
        (late,) = await replies_of(other, action(saga, attempt=2))
        assert outcome(late) == outcome(done)
    assert set(seen) <= {"succeeded", "rejected compensated"}
    assert set((await nets(fleet)).values()) <= {0}
    assert set((await effects(fleet)).values()) <= {1}


@both_modes
@pytest.mark.parametrize("other", [compensation(), revoke()], ids=["compensation", "revoke"])
@pytest.mark.parametrize("action_commits_first", [True, False])
async def test_two_that_have_both_found_nothing_meet_on_the_actions_row(
    fleet: Fleet, other: Any, *, batch: bool, action_commits_first: bool
) -> None:
    """Neither knows of the other when it comes to store its rows; the order of their commits is forced."""
    turns = Turns(first="action" if action_commits_first else "other")
    doing = fleet.instance(bank(batch=batch), around=lambda inbox: TakingTurns(inbox, turns, "action"))
    undoing = fleet.instance(bank(batch=batch), around=lambda inbox: TakingTurns(inbox, turns, "other"))
    (done,), (undone,) = await asyncio.gather(replies_of(doing, action(amount=3)), replies_of(undoing, other))
    assert turns.both_came_before_either_stored
    took_effect = outcome(done) == "succeeded"
    assert took_effect is action_commits_first
    left = sum((await nets(fleet)).values())
    if other.type == PUT_BACK.type:
        assert (outcome(undone), left) == ("succeeded", 0)
    else:
        assert (undone.outcome.value, left) == (("rejected", 3) if took_effect else ("succeeded", 0))


class Turns:
    """Lets two transactions come as far as their rows, then store them and commit one after the other."""

    def __init__(self, first: str) -> None:
        self._first = first
        self._here: set[str] = set()
        self._all_here = asyncio.Event()
        self._committed = asyncio.Event()
        self.both_came_before_either_stored = False

    async def before_storing(self, who: str) -> None:
        self._here.add(who)
        if len(self._here) == 2:
            self._all_here.set()
        await self._all_here.wait()
        if not self._committed.is_set():
            self.both_came_before_either_stored = True
        if who != self._first:
            await self._committed.wait()

    def committed(self, who: str) -> None:
        if who == self._first:
            self._committed.set()


class TakingTurns:
    """An inbox that waits for its turn between reading rows, where it reads any, and storing them."""

    def __init__(self, inbox: Inbox, turns: Turns, who: str) -> None:
        self.expiry, self.database = inbox.expiry, inbox.database
        self._inbox = inbox
        self._turns = turns
        self._who = who

    async def atomically(self, body: Body[T]) -> T:
        async def paused(tx: InboxTransaction) -> T:
            return await body(_Paused(tx, self._turns, self._who))

        result = await self._inbox.atomically(paused)
        self._turns.committed(self._who)
        return result


class _Paused:
    def __init__(self, tx: InboxTransaction, turns: Turns, who: str) -> None:
        self.database, self.session = tx.database, tx.session
        self._tx = tx
        self._turns = turns
        self._who = who

    async def rows(self, ids: Sequence[str]) -> Mapping[str, Row]:
        found = await self._tx.rows(ids)
        await self._turns.before_storing(self._who)
        return found

    async def insert(self, rows: Sequence[Row]) -> None:
        await self._turns.before_storing(self._who)
        await self._tx.insert(rows)

    async def replace(self, rows: Sequence[Row]) -> None:
        await self._tx.replace(rows)


async def test_a_rejection_is_stored_although_the_handler_had_written(fleet: Fleet) -> None:
    service = fleet.instance(bank(batch=False))
    for _ in range(2):
        (reply,) = await replies_of(service, action(amount=101))
        assert outcome(reply) == "rejected empty"
    row = await fleet.database("bank")["inbox"].find_one({"_id": "s1/take/action"})
    assert (row["outcome"], row["reply"]["code"]) == ("rejected", "empty")
    assert await effects(fleet) == {}


@both_modes
async def test_an_error_leaves_no_trace_of_its_command(fleet: Fleet, *, batch: bool) -> None:
    service = fleet.instance(bank(batch=batch))
    replies = await replies_of(service, action("s1"), action("s2", till="broken"), action("s3"))
    assert [outcome(reply) for reply in replies] == ["succeeded", "failed handler-error", "succeeded"]
    assert await effects(fleet) == {"s1/take/action": 1, "s3/take/action": 1}
    assert await fleet.database("bank")["inbox"].count_documents({"saga_id": "s2"}) == 0


async def test_a_batch_of_actions_and_compensations_is_folded(fleet: Fleet) -> None:
    service = fleet.instance(bank(batch=True))
    batch = [action("s1"), compensation("s2"), action("s2"), compensation("s1"), action("s1"), revoke("s3")]
    replies = await replies_of(service, *batch)
    assert [outcome(reply) for reply in replies] == [
        "succeeded",
        "succeeded",
        "rejected compensated",
        "succeeded",
        "succeeded",
        "succeeded",
    ]
    assert await effects(fleet) == {"s1/take/action": 1, "s1/take/compensation": 1}


async def test_an_effect_outside_is_announced_before_it_is_attempted(fleet: Fleet) -> None:
    participant = Participant("bank")
    announced: list[Any] = []

    @participant.handles(TAKE, external=True)
    async def take(command: Take, tx: ExternalContext) -> Taken:
        announced.append(await tx.database["inbox"].find_one({"_id": tx.idempotency_key}))
        if len(announced) == 1:
            raise TimeoutError("no answer")
        return Taken(amount=command.amount)

    one, other = fleet.instance(participant), fleet.instance(participant)
    (lost,) = await replies_of(one, action(amount=3))
    (found,) = await replies_of(other, action(amount=3, attempt=2))
    assert (outcome(lost), outcome(found)) == ("failed handler-error", "succeeded")
    assert [row["outcome"] for row in announced] == ["unknown", "unknown"]
    row = await fleet.database("bank")["inbox"].find_one({"_id": "s1/take/action"})
    assert (row["outcome"], row["reply"]) == ("succeeded", {"amount": 3})

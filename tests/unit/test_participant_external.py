"""Effects outside the database: announced first, called with one key, never guessed."""

import asyncio
from collections import Counter
from typing import TypeVar

import pytest
from pymongo.errors import AutoReconnect
from structlog.testing import capture_logs

from adapters.errors import Unavailable
from participants.context import Context, ExternalContext
from participants.inbox import Body, Inbox
from participants.participant import Participant, Service
from participants.runner import Runner
from sagas.contracts import Reject
from sagas.messages import Outcome
from support.participants import (
    PUT_BACK,
    TAKE,
    Bench,
    PutBack,
    PutBackDone,
    Take,
    Taken,
    action,
    compensation,
    outcome,
    replies_of,
    revoke,
    skip_of_compensation,
)

T = TypeVar("T")


class Processor:
    """A card processor that honours idempotency keys: the first call of a key decides, repeats get its answer."""

    def __init__(self) -> None:
        self.balance = 100
        self.answers: dict[str, Taken | Reject] = {}
        self.calls: Counter[str] = Counter()
        self.losing_answers = 0  #: how many answers get lost on the way back
        self.refuses = False
        self.slow = False
        self.called = asyncio.Event()
        self.answering = asyncio.Event()

    async def charge_slowly(self, key: str, amount: int) -> Taken:
        self.called.set()
        if self.slow:
            await self.answering.wait()
        return self.charge(key, amount)

    def charge(self, key: str, amount: int) -> Taken:
        self.calls[key] += 1
        if key not in self.answers:
            self.answers[key] = Reject("declined") if self.refuses else Taken(amount=amount)
            self.balance -= 0 if self.refuses else amount
        if self.losing_answers:
            self.losing_answers -= 1
            raise TimeoutError("no answer")
        answer = self.answers[key]
        if isinstance(answer, Reject):
            raise answer
        return answer


@pytest.fixture
def processor() -> Processor:
    return Processor()


@pytest.fixture
def participant(processor: Processor) -> Participant:
    participant = Participant("bank")

    @participant.handles(TAKE, external=True)
    async def take(command: Take, tx: Context) -> Taken:
        return await processor.charge_slowly(tx.idempotency_key, command.amount)

    @participant.handles(PUT_BACK, external=True)
    async def put_back(command: PutBack, tx: Context) -> PutBackDone:
        await processor.charge_slowly(tx.idempotency_key, -tx.action.of(TAKE).reply.amount)
        return PutBackDone()

    return participant


@pytest.fixture
def bench(participant: Participant) -> Bench:
    return Bench(participant)


async def test_a_repeat_does_not_call_again(bench: Bench, processor: Processor) -> None:
    assert await bench.outcomes(action(amount=3), action(amount=3)) == ["succeeded", "succeeded"]
    assert await bench.outcomes(action(amount=3, attempt=2)) == ["succeeded"]
    assert processor.calls == {"s1/take/action": 1}


async def test_a_lost_answer_is_asked_for_again_with_the_same_key(bench: Bench, processor: Processor) -> None:
    processor.losing_answers = 1
    assert await bench.outcomes(action(amount=3)) == ["failed handler-error"]
    assert bench.inbox.rows["s1/take/action"].outcome is None
    assert await bench.outcomes(action(amount=3, attempt=2)) == ["succeeded"]
    assert processor.calls == {"s1/take/action": 2}
    assert processor.balance == 97


async def test_a_compensation_finds_out_the_actions_outcome_before_it_undoes_it(
    bench: Bench, processor: Processor
) -> None:
    processor.losing_answers = 2
    assert await bench.outcomes(action(amount=3)) == ["failed handler-error"]
    assert await bench.outcomes(compensation()) == ["failed outcome-unknown"]
    assert processor.balance == 97
    assert await bench.outcomes(compensation(attempt=2)) == ["succeeded"]
    assert processor.balance == 100
    assert processor.calls == {"s1/take/action": 3, "s1/take/compensation": 1}


async def test_a_revoke_finds_out_the_actions_outcome_too(bench: Bench, processor: Processor) -> None:
    processor.losing_answers = 1
    await bench.deliver(action(amount=3))
    (reply,) = await bench.deliver(revoke())
    assert (reply.outcome.value, dict(reply.data)) == ("rejected", {"amount": 3})


async def test_an_action_that_turns_out_declined_is_not_undone(bench: Bench, processor: Processor) -> None:
    processor.refuses, processor.losing_answers = True, 1
    await bench.deliver(action(amount=3))
    assert await bench.outcomes(compensation()) == ["succeeded"]
    assert processor.calls == {"s1/take/action": 2}


async def test_a_declined_action_is_rejected_for_good(bench: Bench, processor: Processor) -> None:
    processor.refuses = True
    assert await bench.outcomes(action(), action(attempt=2)) == ["rejected declined", "rejected declined"]
    assert processor.calls == {"s1/take/action": 1}


async def test_after_its_compensation_an_action_is_never_called(bench: Bench, processor: Processor) -> None:
    assert await bench.outcomes(compensation(), action()) == ["succeeded", "rejected compensated"]
    assert processor.calls == {}


async def test_a_refused_compensation_stays_announced_and_is_tried_again(bench: Bench, processor: Processor) -> None:
    await bench.deliver(action(amount=3))
    processor.refuses = True
    assert await bench.outcomes(compensation()) == ["failed declined"]
    del processor.answers["s1/take/compensation"]
    processor.refuses = False
    assert await bench.outcomes(compensation(attempt=2)) == ["succeeded"]
    assert processor.balance == 100


async def test_a_skipped_compensation_without_outcome_is_never_called_again(bench: Bench, processor: Processor) -> None:
    await bench.deliver(action(amount=3))
    processor.losing_answers = 1
    assert await bench.outcomes(compensation()) == ["failed handler-error"]
    skip, again = skip_of_compensation(), skip_of_compensation(attempt=2)
    assert await bench.outcomes(skip, again, compensation(attempt=2)) == ["succeeded", "succeeded", "rejected revoked"]
    assert processor.calls == {"s1/take/action": 1, "s1/take/compensation": 1}
    (reply,) = await bench.deliver(revoke())
    assert (reply.outcome.value, dict(reply.data)) == ("rejected", {"amount": 3}), "a person has undone it, not we"


async def test_a_compensation_that_had_answered_is_not_given_up(bench: Bench, processor: Processor) -> None:
    await bench.deliver(action(amount=3), compensation())
    (reply,) = await bench.deliver(skip_of_compensation())
    assert reply.outcome is Outcome.REJECTED
    assert await bench.outcomes(compensation(attempt=2), revoke()) == ["succeeded", "succeeded"]
    assert processor.balance == 100


async def test_a_compensation_that_answers_after_it_was_skipped_is_told_loudly(
    bench: Bench, participant: Participant, processor: Processor
) -> None:
    await bench.deliver(action(amount=3))
    processor.slow, processor.called = True, asyncio.Event()
    undoing = asyncio.create_task(bench.outcomes(compensation()))
    await processor.called.wait()
    another_process = Service(participant, bench.inbox, bench.clock)
    (reply,) = await replies_of(another_process, skip_of_compensation())
    assert outcome(reply) == "succeeded"
    with capture_logs() as logs:
        processor.answering.set()
        assert await undoing == ["rejected revoked"]
    assert [(log["event"], log["command_id"]) for log in logs] == [("effect-after-revoke", "s1/take/compensation")]


async def test_a_call_that_takes_too_long_has_no_known_outcome_and_is_made_again(
    bench: Bench, participant: Participant, processor: Processor
) -> None:
    runner = Runner(participant.handlers, bench.inbox, bench.clock, external_timeout_s=0)
    processor.slow = True
    call = asyncio.create_task(runner.attempt(action(amount=3)))
    await processor.called.wait()
    asyncio.get_running_loop().call_soon(processor.answering.set)
    with pytest.raises(TimeoutError):
        await call
    assert bench.inbox.rows["s1/take/action"].outcome is None
    processor.slow = False
    folded = await runner.attempt(action(amount=3, attempt=2))
    assert [answer.outcome for answer in folded.answers] == [Outcome.SUCCEEDED]
    assert processor.calls == {"s1/take/action": 1}, "the first call was given up before it came through"


async def test_a_handler_may_use_its_own_database_where_nothing_is_rolled_back() -> None:
    participant = Participant("bank")

    @participant.handles(TAKE, external=True)
    async def take(_command: Take, tx: ExternalContext) -> Taken:
        tx.database["asked"] = tx.database.get("asked", 0) + 1
        raise TimeoutError("no answer")

    bench = Bench(participant)
    assert await bench.outcomes(action(), action(attempt=2)) == ["failed handler-error", "failed handler-error"]
    assert bench.inbox.database == {"asked": 2}


async def test_a_handler_whose_database_is_away_says_nothing_about_the_command() -> None:
    participant = Participant("bank")

    @participant.handles(TAKE, external=True)
    async def take(_command: Take, _tx: ExternalContext) -> Taken:
        raise AutoReconnect("connection closed")

    with pytest.raises(Unavailable):
        await Bench(participant).outcomes(action())


class AwayOnce:
    """An inbox whose database is away for one transaction."""

    def __init__(self, inbox: Inbox, *, transaction: int) -> None:
        self.expiry, self.database = inbox.expiry, inbox.database
        self._inbox = inbox
        self._left = transaction

    async def atomically(self, body: Body[T]) -> T:
        self._left -= 1
        if self._left == 0:
            raise Unavailable("away")
        return await self._inbox.atomically(body)


async def test_when_the_database_goes_away_during_the_call_the_outcome_is_found_later(
    bench: Bench, participant: Participant, processor: Processor
) -> None:
    service = Service(participant, AwayOnce(bench.inbox, transaction=2), bench.clock)
    with pytest.raises(Unavailable):
        await replies_of(service, action(amount=3))
    assert processor.calls == {"s1/take/action": 1}
    (reply,) = await replies_of(service, action(amount=3))
    assert outcome(reply) == "succeeded"
    assert processor.balance == 97

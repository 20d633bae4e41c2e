"""What a participant answers when something is wrong, and what of it is kept."""

import asyncio
from collections.abc import Sequence
from traceback import extract_tb

import pytest
from structlog.testing import capture_logs

from adapters.bus import Ack, Dead, Delivery
from adapters.errors import Unavailable
from participants.context import BatchTransaction, Transaction
from participants.handlers import CONFLICT
from participants.participant import Participant
from sagas.contracts import Reject
from sagas.sendable import MAX_SENT_BYTES
from support.participants import (
    PUT_BACK,
    TAKE,
    Bench,
    PutBack,
    PutBackDone,
    Take,
    Taken,
    action,
    bank,
    compensation,
    deliveries,
    message,
    outcome,
    revoke,
)

both_modes = pytest.mark.parametrize("batch", [True, False], ids=["batch", "single"])


@both_modes
async def test_an_error_is_answered_without_a_trace_and_leaves_none(*, batch: bool) -> None:
    bench = Bench(bank(batch=batch))
    (reply,) = await bench.deliver(action(till="broken"))
    assert (reply.outcome.value, reply.attempt) == ("failed", 1)
    assert reply.data == {"code": "handler-error", "detail": "OSError: the till does not open Traceback: secret"}
    assert (bench.inbox.rows, bench.inbox.database) == ({}, {})


async def test_an_unknown_type_is_answered_with_the_known_ones() -> None:
    (reply,) = await Bench(bank()).deliver(message("s1/rob/action", "bank.rob", {}))
    assert outcome(reply) == "failed unknown-command"
    assert reply.data["detail"] == "bank.rob is none of bank.put-back, bank.revoke, bank.take"


@both_modes
async def test_data_that_does_not_fit_is_a_technical_failure(*, batch: bool) -> None:
    bench = Bench(bank(batch=batch))
    (bad, good) = await bench.deliver(action("s1", amount="many"), action("s2"))
    assert outcome(bad) == "failed invalid-command"
    assert bad.data["detail"].startswith("amount: ")
    assert outcome(good) == "succeeded"


async def test_a_revoke_without_an_action_is_invalid() -> None:
    assert await Bench(bank()).outcomes(message("s1/take/revoke", "bank.revoke", {})) == ["failed invalid-command"]


async def test_a_repeat_is_recognised_although_its_data_no_longer_fits() -> None:
    bench = Bench(bank())
    await bench.deliver(action(amount=1))
    assert await bench.outcomes(action(amount="one")) == ["succeeded"]


async def test_an_old_command_without_a_row_is_expired() -> None:
    bench = Bench(bank())
    bench.clock.time += bench.inbox.expiry
    assert await bench.outcomes(action("s1"), compensation("s2"), revoke("s3")) == ["failed expired"] * 3
    assert bench.inbox.rows == {}


async def test_an_undecodable_entry_is_a_dead_letter_and_the_others_are_done() -> None:
    bench = Bench(bank())
    broken = Delivery("t.commands.bank", "0-9", {"id": "s1/take/action", "type": "bank.take", "data": "{"})
    dead, done = await bench.service.handle([broken, *deliveries([action("s2")])])
    assert isinstance(dead, Dead)
    assert isinstance(done, Ack)


async def test_the_reply_says_who_answers_what_for_which_attempt() -> None:
    bench = Bench(bank())
    command = message("s1/take/action", "bank.take", {"amount": 1}, attempt=4, traceparent="00-a-b-01")
    (verdict,) = await bench.service.handle(deliveries([command]))
    assert isinstance(verdict, Ack)
    (entry,) = verdict.publish
    assert entry.fields["id"] == "s1/take/action/reply/4"
    assert entry.fields["type"] == "bank.take.succeeded"
    assert entry.fields["source"] == "/participants/bank"
    assert entry.fields["subject"] == "s1"
    assert entry.fields["traceparent"] == "00-a-b-01"


async def test_without_a_reply_stream_nothing_is_published() -> None:
    bench = Bench(bank())
    verdicts = await bench.service.handle(deliveries([message("s1/take/action", "bank.take", {}, reply_to="")]))
    assert verdicts == [Ack()]
    assert "s1/take/action" in bench.inbox.rows


@both_modes
async def test_while_the_database_is_away_nothing_is_answered(*, batch: bool) -> None:
    participant = Participant("bank")

    async def away(*_: object) -> list[Taken]:
        raise Unavailable("away")

    async def away_single(command: Take, tx: Transaction) -> Taken:
        raise Unavailable("away")

    if batch:
        participant.handles(TAKE, batch=True)(away)
    else:
        participant.handles(TAKE)(away_single)
    with pytest.raises(Unavailable):
        await Bench(participant).deliver(action())


async def test_nothing_is_still_being_done_when_a_batch_is_given_up() -> None:
    """It would go on behind the back of the batch's next delivery."""
    participant, inside, ended = Participant("bank"), asyncio.Event(), list[str]()

    @participant.handles(TAKE)
    async def take(command: Take, tx: Transaction) -> Taken:
        if tx.saga_id == "s1":
            await inside.wait()
            raise Unavailable("away")
        inside.set()
        for _ in range(100):
            await bench.clock.sleep(0)
        ended.append(tx.saga_id)
        return Taken(amount=1)

    bench = Bench(participant)
    with pytest.raises(Unavailable):
        await bench.deliver(action("s1"), action("s2"))
    assert ended == ["s2"]


async def test_a_rejected_compensation_is_answered_failed_and_tried_again() -> None:
    participant = bank(batch=False)
    stubborn = Participant("bank")
    stubborn.handles(TAKE)(participant.handlers[TAKE.type].handler)
    refusals = [Reject("closed")]

    @stubborn.handles(PUT_BACK)
    async def put_back(command: PutBack, tx: Transaction) -> PutBackDone:
        tx.database["till"] += 1
        if refusals:
            raise refusals.pop()
        return PutBackDone()

    bench = Bench(stubborn)
    await bench.deliver(action())
    refusals.append(Reject("closed"))  # It is asked twice: the second transaction only checks the row again.
    assert await bench.outcomes(compensation()) == ["failed closed"]
    assert bench.inbox.database["till"] == 99
    assert set(bench.inbox.rows) == {"s1/take/action"}
    refusals.clear()
    assert await bench.outcomes(compensation()) == ["succeeded"]


async def test_a_handler_that_answers_too_little_or_wrongly_fails_its_commands() -> None:
    participant = Participant("bank")

    @participant.handles(TAKE, batch=True)
    async def take(commands: Sequence[Take], tx: BatchTransaction) -> Sequence[Taken | Reject]:
        wrong: list[Taken | Reject] = [PutBackDone()] if len(commands) == 1 else []  # type: ignore[list-item]
        return wrong

    bench = Bench(participant)
    replies = await bench.deliver(action("s1"), action("s2"))
    assert [reply.data["detail"] for reply in replies] == [
        "TypeError: the handler of bank.take must give Taken, not PutBackDone"
    ] * 2
    assert bench.inbox.rows == {}


class Receipt(Taken):
    """A reply of any size."""

    text: str = ""
    rates: tuple[float, ...] = ()


#: 1e-7 for pydantic, and 1e-07 on the wire.
LONGER_ON_THE_WIRE = Receipt(amount=1, rates=(1e-7,) * 50_000)


@pytest.mark.parametrize(
    "reply",
    [
        Taken(amount=2**64),
        Receipt(amount=1, text="x" * MAX_SENT_BYTES),
        Receipt(amount=1, text="é" * 2**17),
        LONGER_ON_THE_WIRE,
    ],
    ids=["number", "size", "bytes", "bytes on the wire"],
)
async def test_a_reply_that_cannot_be_sent_leaves_no_effect(reply: Taken) -> None:
    participant = Participant("bank")

    @participant.handles(TAKE)
    async def take(command: Take, tx: Transaction) -> Taken:
        tx.database["till"] = 0
        return reply

    bench = Bench(participant)
    assert await bench.outcomes(action()) == ["failed handler-error"]
    assert bench.inbox.database == {}


async def test_endless_conflicts_end_in_a_failed_answer() -> None:
    participant = Participant("bank")

    @participant.handles(TAKE)
    async def take(command: Take, tx: Transaction) -> Taken:
        bench.inbox.database["till"] = 0
        await bench.inbox.atomically(_touch)
        tx.database["till"] = 1
        return Taken(amount=1)

    bench = Bench(participant)
    assert await bench.outcomes(action()) == [f"failed {CONFLICT}"]


async def _touch(tx: object) -> None:
    tx.database["till"] = 0  # type: ignore[attr-defined]


async def test_the_log_of_a_handler_that_raises_begins_in_the_handler() -> None:
    with capture_logs() as logs:
        await Bench(bank(batch=False)).deliver(action(till="broken"))
    (line,) = (line for line in logs if line["event"] == "command-failed")
    assert line["type"] == "bank.take"
    frames = extract_tb(line["exc_info"].__traceback__)
    assert "support" in frames[0].filename

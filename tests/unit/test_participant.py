"""A participant's duties: repeats, compensations before and beside their actions, revokes, single and batched."""

import asyncio
from collections.abc import Sequence

import pytest

from adapters.bus import Entry
from adapters.memory_bus import MemoryBus
from adapters.streams.names import Streams
from participants.context import BatchTransaction
from participants.participant import AtOnce, Participant, Service
from support.participants import (
    TAKE,
    Bench,
    Take,
    Taken,
    action,
    bank,
    compensation,
    deliveries,
    outcome,
    revoke,
)

both_modes = pytest.mark.parametrize("batch", [True, False], ids=["batch", "single"])


@both_modes
async def test_a_command_is_done_and_answered(*, batch: bool) -> None:
    bench = Bench(bank(batch=batch))
    (reply,) = await bench.deliver(action(amount=3))
    assert (reply.command_id, outcome(reply), reply.data) == ("s1/take/action", "succeeded", {"amount": 3})
    assert bench.inbox.database["till"] == 97


@both_modes
async def test_a_repeat_gets_the_stored_reply_and_no_second_effect(*, batch: bool) -> None:
    bench = Bench(bank(batch=batch))
    first = await bench.deliver(action(amount=3))
    again = await bench.deliver(action(amount=3, attempt=2))
    assert [reply.data for reply in first] == [reply.data for reply in again]
    assert again[0].attempt == 2
    assert bench.inbox.database["till"] == 97


@both_modes
async def test_what_the_bus_repeats_is_told_from_what_is_sent_first(*, batch: bool) -> None:
    """Nothing in such a command says that it is a repeat: only its row does."""
    bench = Bench(bank(batch=batch))
    await bench.deliver(compensation("s2"))
    assert await bench.outcomes(action(amount=300)) == ["rejected empty"]
    for _ in range(2):
        assert await bench.outcomes(action("s3", amount=60)) == ["succeeded"]  # A second time there is not enough.
        assert await bench.outcomes(action("s2"), action("s4", amount=1)) == ["rejected compensated", "succeeded"]
        bench.inbox.database["till"] = 39
    assert await bench.outcomes(action(amount=300)) == ["rejected empty"]
    assert bench.inbox.database["till"] == 39


async def test_a_repeat_that_its_contract_does_not_fit_any_more_still_gets_its_stored_reply() -> None:
    bench = Bench(bank(batch=True))
    await bench.deliver(action(amount=3))
    assert await bench.outcomes(action(amount="three")) == ["succeeded"]


@both_modes
async def test_a_command_twice_in_one_batch_is_done_once_and_answered_twice(*, batch: bool) -> None:
    bench = Bench(bank(batch=batch))
    one, two = await bench.deliver(action(amount=3), action(amount=3, attempt=2))
    assert (one.data, one.attempt, two.data, two.attempt) == ({"amount": 3}, 1, {"amount": 3}, 2)
    assert bench.inbox.database["till"] == 97


@both_modes
async def test_a_rejection_is_stored_and_nothing_else(*, batch: bool) -> None:
    bench = Bench(bank(batch=batch))
    assert await bench.outcomes(action(amount=300)) == ["rejected empty"]
    bench.inbox.database["till"] = 1_000
    assert await bench.outcomes(action(amount=300)) == ["rejected empty"]
    assert bench.inbox.database == {"till": 1_000}


@both_modes
async def test_a_compensation_gets_the_actions_stored_command(*, batch: bool) -> None:
    bench = Bench(bank(batch=batch))
    await bench.deliver(action(amount=3))
    assert await bench.outcomes(compensation()) == ["succeeded"]
    assert await bench.outcomes(compensation(attempt=2)) == ["succeeded"]
    assert bench.inbox.database["till"] == 100
    assert bench.inbox.rows["s1/take/action"].undone_by == "s1/take/compensation"


@both_modes
async def test_an_action_and_its_compensation_in_one_batch_both_run(*, batch: bool) -> None:
    calls: list[list[str]] = []
    bench = Bench(bank(calls, batch=batch))
    replies = await bench.outcomes(action(amount=3), compensation(), action(amount=3, attempt=2))
    assert replies == ["succeeded", "succeeded", "succeeded"]
    assert calls == [["s1/take/action"], ["s1/take/compensation"]]
    assert bench.inbox.database["till"] == 100


@both_modes
async def test_a_compensation_before_its_action_leaves_a_tombstone_that_refuses_it(*, batch: bool) -> None:
    calls: list[list[str]] = []
    bench = Bench(bank(calls, batch=batch))
    assert await bench.outcomes(compensation(), action()) == ["succeeded", "rejected compensated"]
    assert await bench.outcomes(action(attempt=2)) == ["rejected compensated"]
    assert calls == []
    assert bench.inbox.rows["s1/take/action"].tombstone


@both_modes
async def test_a_rejected_action_is_not_undone(*, batch: bool) -> None:
    calls: list[list[str]] = []
    bench = Bench(bank(calls, batch=batch))
    assert await bench.outcomes(action(amount=300), compensation()) == ["rejected empty", "succeeded"]
    assert calls == [["s1/take/action"]]


@both_modes
async def test_a_revoke_keeps_an_action_from_ever_happening(*, batch: bool) -> None:
    bench = Bench(bank(batch=batch))
    assert await bench.outcomes(revoke(), revoke()) == ["succeeded", "succeeded"]
    assert await bench.outcomes(action()) == ["rejected revoked"]


@both_modes
async def test_a_revoke_after_the_action_says_what_happened(*, batch: bool) -> None:
    bench = Bench(bank(batch=batch))
    await bench.deliver(action(amount=3))
    (reply,) = await bench.deliver(revoke())
    assert (reply.outcome.value, dict(reply.data)) == ("rejected", {"amount": 3})
    assert bench.inbox.database["till"] == 97


async def test_only_the_culprit_of_a_batch_fails() -> None:
    calls: list[list[str]] = []
    bench = Bench(bank(calls))
    batch = [action("s1"), action("s2", till="broken"), action("s3"), compensation("s1")]
    assert await bench.outcomes(*batch) == ["succeeded", "failed handler-error", "succeeded", "succeeded"]
    assert set(bench.inbox.rows) == {"s1/take/action", "s3/take/action", "s1/take/compensation"}
    assert bench.inbox.database["till"] == 99
    assert len(calls[0]) == 3
    assert all(len(call) == 1 for call in calls[1:])


async def test_a_batch_is_one_call_of_the_handler_and_one_transaction() -> None:
    calls: list[list[str]] = []
    bench = Bench(bank(calls))
    await bench.deliver(*(action(f"s{number}") for number in range(200)))
    assert [len(call) for call in calls] == [200]
    assert bench.inbox.committed.commits == 1


async def test_bound_to_a_bus_it_answers_on_the_reply_stream() -> None:
    bench = Bench(bank())
    bus = MemoryBus(bench.clock, prefix="t.")
    bank().bind(bus, bench.inbox, bench.clock, streams=Streams("t."))
    await bus.publish([Entry("t.commands.bank", delivery.fields) for delivery in deliveries([action(amount=2)] * 2)])
    await bus.run_until_idle()
    assert [fields["outcome"] for fields in bus.server.entries("t.replies")] == ["succeeded", "succeeded"]
    assert bench.inbox.database["till"] == 98


async def test_batches_of_several_partitions_are_handled_one_at_a_time() -> None:
    one, inside, most = Participant("bank"), 0, 0

    @one.handles(TAKE, batch=True)
    async def take(commands: Sequence[Take], tx: BatchTransaction) -> list[Taken]:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        await asyncio.to_thread(int)
        inside -= 1
        return [Taken(amount=command.amount) for command in commands]

    service = Bench(one).service
    batches = [deliveries([action(f"s{number}", amount=1)]) for number in range(3)]
    await asyncio.gather(*(service.handle(batch) for batch in batches))
    assert most == 1


async def test_no_more_commands_than_told_are_handled_together() -> None:
    one, sizes = Participant("bank"), list[int]()

    @one.handles(TAKE, batch=True)
    async def take(commands: Sequence[Take], tx: BatchTransaction) -> list[Taken]:
        sizes.append(len(commands))
        await asyncio.to_thread(int)
        return [Taken(amount=command.amount) for command in commands]

    bench = Bench(one)
    service = Service(one, bench.inbox, bench.clock, at_once=AtOnce(batch=2))
    batches = [deliveries([action(f"s{number}", amount=1)]) for number in range(8)]
    await asyncio.gather(*(service.handle(batch) for batch in batches))
    assert (max(sizes), sum(sizes)) == (2, 8)

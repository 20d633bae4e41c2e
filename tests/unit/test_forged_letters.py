"""Letters that somebody else may have written: they belong to the stream on which they were found."""

from adapters.bus import Ack, Delivery
from adapters.streams.names import Streams
from orchestrator.dead_commands import DeadCommands


async def test_a_letter_can_not_name_another_stream_to_be_redriven_on() -> None:
    kept: list[tuple[Delivery, str]] = []

    async def keep(delivery: Delivery, reason: str) -> None:
        kept.append((delivery, reason))

    forged = {"id": "s/pay/action", "deadstream": "saga.replies", "deadid": "1-0", "deadreason": "why not"}

    verdicts = await DeadCommands(Streams(), keep)([Delivery("saga.commands.till.dead", "2-0", forged)])

    assert verdicts == [Ack()]
    assert kept == [(Delivery("saga.commands.till", "1-0", {"id": "s/pay/action"}), "why not")]


async def test_a_letter_goes_back_to_the_partition_of_its_saga_whatever_it_says_of_where_it_was() -> None:
    kept: list[str] = []

    async def keep(delivery: Delivery, _: str) -> None:
        kept.append(delivery.stream)

    letter = {"subject": "order-1", "deadstream": "saga.commands.till.{3}"}
    await DeadCommands(Streams(partitions=12), keep)([Delivery("saga.commands.till.dead", "2-0", letter)])
    assert kept == ["saga.commands.till.{7}"]

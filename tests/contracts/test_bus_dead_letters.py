"""What becomes a dead letter on every bus, and what never does."""

from collections.abc import Sequence
from datetime import datetime

from adapters.bus import Ack, Dead, Delivery, Entry, Leave, Subscription, Verdict
from support.bus_fixtures import MakeBus, reading, settled, stream, world
from support.buses import Recorder, World, numbered
from support.waiting import eventually

__all__ = ["reading", "stream", "world"]  # fixtures


async def test_an_entry_left_alone_too_often_is_a_dead_letter(world: World, stream: str, reading: MakeBus) -> None:
    await world.bus().publish(numbered(stream, "poison", "fine"))
    handler = Recorder(lambda d: Leave("never") if d.fields["n"] == "poison" else Ack())
    await reading(handler)
    dead = await eventually(lambda: world.fields(world.streams.dead(stream)))
    assert [(letter["n"], letter["deadstream"]) for letter in dead] == [("poison", stream)]
    assert "never" in dead[0]["deadreason"]
    assert handler.names.count("poison") == 6  # Once in company, five times alone.
    await eventually(lambda: settled(world, stream))


async def test_of_a_batch_whose_handler_raises_only_the_culprit_is_a_dead_letter(
    world: World, stream: str, reading: MakeBus
) -> None:
    handled: set[str] = set()

    async def handler(deliveries: Sequence[Delivery]) -> Sequence[Verdict]:
        if any(delivery.fields["n"] == "13" for delivery in deliveries):
            raise RuntimeError("I cannot stand 13")
        handled.update(delivery.fields["n"] for delivery in deliveries)
        return [Ack()] * len(deliveries)

    await world.bus().publish(numbered(stream, *range(20)))
    await reading(handler)
    dead = await eventually(lambda: world.fields(world.streams.dead(stream)))
    assert [letter["n"] for letter in dead] == ["13"]
    assert "I cannot stand 13" in dead[0]["deadreason"]
    await eventually(lambda: handled == {str(n) for n in range(20)} - {"13"})
    await eventually(lambda: settled(world, stream))


async def test_a_hopeless_entry_is_a_dead_letter_at_once_and_its_batch_goes_on(
    world: World, stream: str, reading: MakeBus
) -> None:
    await world.bus().publish(numbered(stream, 1, "garbage", 3))
    handler = Recorder(lambda d: Dead("no JSON") if d.fields["n"] == "garbage" else Ack())
    await reading(handler)
    (letter,) = await eventually(lambda: world.fields(world.streams.dead(stream)))
    assert (letter["n"], letter["deadreason"], letter["deadstream"]) == ("garbage", "no JSON", stream)
    assert letter["deadid"] == handler.calls[0][1].entry_id
    assert datetime.fromisoformat(letter["deadtime"]).tzinfo is not None
    await eventually(lambda: settled(world, stream))
    assert len(handler.calls) == 1


async def test_a_dead_command_that_can_be_answered_is_answered_failed(
    world: World, stream: str, reading: MakeBus
) -> None:
    replies = world.streams.replies
    fields = {"id": "s1/reserve/action", "replyto": replies, "attempt": "3", "data": "{"}
    await world.bus().publish([Entry(stream, fields)])
    await reading(Recorder(lambda _: Dead("no JSON")))
    (reply,) = await eventually(lambda: world.fields(replies))
    assert (reply["causationid"], reply["outcome"], reply["attempt"]) == ("s1/reserve/action", "failed", "3")


async def test_the_application_hears_of_each_dead_letter(world: World, stream: str) -> None:
    heard: list[tuple[str, str]] = []

    async def on_dead(delivery: Delivery, reason: str) -> None:
        heard.append((delivery.fields["n"], reason))

    bus = world.bus(on_dead)
    bus.subscribe(Subscription(stream, "inventory", Recorder(lambda _: Dead("bad"))))
    await bus.publish(numbered(stream, 1))
    await bus.start()
    await eventually(lambda: heard == [("1", "bad")])

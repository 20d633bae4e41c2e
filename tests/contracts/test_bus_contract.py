"""What every bus promises: the same rules for the one in memory and the one on Redis."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from adapters.bus import Ack, Delivery, Entry, Leave, Progress, Subscription, Verdict
from adapters.errors import Unavailable
from support.bus_fixtures import MakeBus, reading, settled, stream, world
from support.buses import Recorder, World, numbered
from support.waiting import eventually

__all__ = ["reading", "stream", "world"]  # fixtures


async def test_what_was_published_before_anybody_subscribed_is_delivered_in_order(
    world: World, stream: str, reading: MakeBus
) -> None:
    await world.bus().publish(numbered(stream, *range(50)))
    handler = Recorder()
    await reading(handler)
    await eventually(lambda: len(handler.names) == 50)
    assert handler.names == [str(n) for n in range(50)]


async def test_entries_travel_in_batches_with_their_stream_and_fields(
    world: World, stream: str, reading: MakeBus
) -> None:
    await world.bus().publish([Entry(stream, {"n": "1", "text": "Grüße"}), *numbered(stream, 2)])
    handler = Recorder()
    await reading(handler)
    await eventually(lambda: len(handler.names) == 2)
    (batch,) = handler.calls
    assert [(delivery.stream, delivery.redelivered) for delivery in batch] == [(stream, False)] * 2
    assert batch[0].fields == {"n": "1", "text": "Grüße"}


async def test_what_is_published_together_reaches_a_waiting_reader_together(
    world: World, stream: str, reading: MakeBus
) -> None:
    handler = Recorder()
    await reading(handler)
    await world.bus().publish(numbered(stream, "first"))
    await eventually(lambda: handler.names == ["first"])
    await eventually(lambda: settled(world, stream))
    await world.bus().publish(numbered(stream, *range(50)))
    await eventually(lambda: len(handler.names) == 51)
    assert [len(call) for call in handler.calls] == [1, 50]


async def test_an_acknowledged_entry_never_comes_again(world: World, stream: str, reading: MakeBus) -> None:
    await world.bus().publish(numbered(stream, "once"))
    first, second = Recorder(), Recorder()
    bus = await reading(first)
    await eventually(lambda: first.names == ["once"])
    await eventually(lambda: settled(world, stream))
    await bus.stop()
    await reading(second)
    await world.bus().publish(numbered(stream, "later"))
    await eventually(lambda: second.names == ["later"])


async def test_what_an_entry_caused_is_published_before_it_is_acknowledged(
    world: World, stream: str, reading: MakeBus
) -> None:
    bus = await reading(Recorder(lambda d: Ack((Entry(world.streams.replies, {"n": d.fields["n"]}),))))
    await bus.publish(numbered(stream, 1, 2, 3))

    async def answered() -> bool:
        return len(await world.fields(world.streams.replies)) == 3

    await eventually(answered)
    await eventually(lambda: settled(world, stream))


async def test_a_left_entry_comes_again_alone_while_the_others_are_settled(
    world: World, stream: str, reading: MakeBus
) -> None:
    await world.bus().publish(numbered(stream, 1, 2, 3))
    handler = Recorder(lambda d: Leave("not now") if d.fields["n"] == "2" and not d.redelivered else Ack())
    await reading(handler)
    await eventually(lambda: len(handler.calls) == 2)
    (again,) = handler.calls[1]
    assert (again.fields["n"], again.redelivered) == ("2", True)
    await eventually(lambda: settled(world, stream))


async def test_a_handler_that_answers_for_too_few_is_wrong_and_nothing_is_acknowledged(
    world: World, stream: str, reading: MakeBus
) -> None:
    calls: list[int] = []

    async def handler(deliveries: Sequence[Delivery]) -> Sequence[Verdict]:
        calls.append(len(deliveries))
        return [Ack()] * (len(deliveries) - 1) if len(calls) == 1 else [Ack()] * len(deliveries)

    await world.bus().publish(numbered(stream, 1, 2))
    await reading(handler)
    await eventually(lambda: calls == [2, 1, 1])


async def test_while_a_server_is_away_nothing_is_counted_and_nothing_lost(
    world: World, stream: str, reading: MakeBus
) -> None:
    away = True
    calls: list[Sequence[Delivery]] = []

    async def handler(deliveries: Sequence[Delivery]) -> Sequence[Verdict]:
        calls.append(deliveries)
        if away:
            raise Unavailable("MongoDB is away")
        return [Ack()] * len(deliveries)

    await world.bus().publish(numbered(stream, 1, 2))
    await reading(handler)
    await eventually(lambda: len(calls) > 15)  # More than the limit of five for each.
    away = False
    await eventually(lambda: settled(world, stream))
    assert await world.fields(world.streams.dead(stream)) == []
    assert all(len(call) == 1 and call[0].redelivered for call in calls[1:])


async def test_an_entry_whose_consequences_cannot_be_published_stays_pending(
    world: World, stream: str, reading: MakeBus
) -> None:
    target = f"{world.streams.prefix}target"
    await world.refuse(target, refused=True)
    handler = Recorder(lambda d: Ack((Entry(target, {"n": "out"}),)) if d.fields["n"] == "1" else Ack())
    await world.bus().publish(numbered(stream, 1, 2))
    await reading(handler)
    await eventually(lambda: handler.names.count("1") >= 2)
    assert await world.pending(stream, "inventory") == 1
    await world.refuse(target, refused=False)
    await eventually(lambda: settled(world, stream))
    assert await world.fields(target) == [{"n": "out"}]
    assert handler.names.count("2") == 1


async def test_publishing_says_for_each_entry_whether_it_is_on_its_stream(world: World, stream: str) -> None:
    bad = f"{world.streams.prefix}bad"
    await world.refuse(bad, refused=True)
    results = await world.bus().publish([*numbered(stream, 1), *numbered(bad, 2), *numbered(stream, 3)])
    assert [isinstance(result, Unavailable) for result in results] == [False, True, False]
    assert [fields["n"] for fields in await world.fields(stream)] == ["1", "3"]
    assert await world.bus().publish([]) == []


async def test_two_consumers_share_a_stream_without_repeats(world: World, stream: str, reading: MakeBus) -> None:
    one, two = Recorder(), Recorder()
    await reading(one)
    await reading(two)
    publisher = world.bus()
    for first in range(0, 1_000, 100):
        await publisher.publish(numbered(stream, *range(first, first + 100)))
    await eventually(lambda: len(one.names) + len(two.names) >= 1_000)
    await eventually(lambda: settled(world, stream))
    assert sorted(map(int, one.names + two.names)) == list(range(1_000))


async def test_two_groups_each_get_everything(world: World) -> None:
    handlers = [Recorder(), Recorder()]
    for number, handler in enumerate(handlers):
        bus = world.bus()
        bus.subscribe(Subscription(world.streams.events, f"group{number}", handler))
        await bus.start()
    await world.bus().publish(numbered(world.streams.events, 1, 2))
    await eventually(lambda: all(handler.names == ["1", "2"] for handler in handlers))


async def test_a_stopped_bus_finishes_the_batch_in_hand_and_others_take_what_it_left(
    world: World, stream: str, reading: MakeBus
) -> None:
    leaving, other = Recorder(lambda d: Leave("no") if d.fields["n"] == "1" else Ack()), Recorder()
    bus = await reading(leaving)
    await bus.publish(numbered(stream, 1, 2))
    await eventually(lambda: "1" in leaving.names)
    await bus.stop()
    handled = len(leaving.calls)
    await reading(other)
    await eventually(lambda: other.names == ["1"])
    assert other.calls[0][0].redelivered
    assert len(leaving.calls) == handled


async def test_a_wiped_server_heals_and_the_application_is_told(world: World, stream: str) -> None:
    healed: list[str] = []

    async def on_healed(name: str) -> None:
        healed.append(name)

    handler = Recorder()
    bus = world.bus()
    bus.subscribe(Subscription(stream, "inventory", handler, on_healed))
    await bus.start()
    await bus.publish(numbered(stream, "before"))
    await eventually(lambda: handler.names == ["before"])
    assert healed == []
    await world.flush()
    await eventually(lambda: healed == [stream])
    await bus.publish(numbered(stream, "after"))
    await eventually(lambda: handler.names == ["before", "after"])


async def test_how_far_a_group_was_delivered_is_told_in_our_time(world: World, stream: str, reading: MakeBus) -> None:
    publisher = world.bus()
    groups = {stream: "inventory", f"{world.streams.prefix}nowhere": "nobody"}
    assert await publisher.progress(groups) == dict.fromkeys(groups, Progress(None, None))

    await publisher.publish(numbered(stream, 1))
    undelivered = (await publisher.progress(groups))[stream].delivered_until
    assert undelivered is not None
    assert abs(undelivered - datetime.now(UTC)) < timedelta(seconds=5)
    stranger = (await publisher.progress({stream: "no-such-group"}))[stream].delivered_until
    assert stranger is not None  # A missing group has been delivered nothing.

    bus = await reading(Recorder())
    await eventually(lambda: settled(world, stream))

    async def all_delivered() -> bool:
        return (await publisher.progress(groups))[stream].delivered_until is None

    await eventually(all_delivered)
    await bus.stop()
    await publisher.publish(numbered(stream, 2))
    until = (await publisher.progress(groups))[stream].delivered_until
    assert until is not None
    assert abs(until - datetime.now(UTC)) < timedelta(seconds=5)


async def test_what_was_delivered_and_not_acknowledged_is_not_settled(
    world: World, stream: str, reading: MakeBus
) -> None:
    publisher, groups = world.bus(), {stream: "inventory", f"{world.streams.prefix}nowhere": "nobody"}
    assert await publisher.progress(groups) == dict.fromkeys(groups, Progress(None, None))
    await publisher.publish(numbered(stream, 1))
    assert (await publisher.progress(groups))[stream].settled_until is not None, "nobody has it yet"

    leaving = Recorder(lambda _: Leave("not now"))
    bus = await reading(leaving)
    await eventually(lambda: leaving.names)
    until = (await publisher.progress(groups))[stream].settled_until
    assert until is not None
    assert abs(until - datetime.now(UTC)) < timedelta(seconds=5)
    assert (await publisher.progress(groups))[stream].delivered_until is None
    await bus.stop()


async def test_a_stream_that_cannot_be_asked_hides_no_other(world: World, stream: str) -> None:
    bus, refusing = world.bus(), world.streams.replies
    await world.refuse(refusing, refused=True)
    groups = {refusing: "orchestrator", stream: "inventory"}
    assert await bus.progress(groups) == {stream: Progress(None, None)}
    with pytest.raises(Unavailable):
        await bus.progress({refusing: "orchestrator"})


async def test_a_bus_that_reads_has_no_problems(world: World, stream: str, reading: MakeBus) -> None:
    bus = await reading(Recorder())

    async def fine() -> bool:
        return list(await bus.problems()) == []

    await eventually(fine)

"""Several orchestrators on in-memory twins: who is answered where, who takes over, and who looks after which timers."""

from collections import Counter

import pytest

from adapters.bus import Entry
from adapters.errors import Unavailable
from orchestrator.core.state import Status
from orchestrator.replica import ADOPTED_FOR
from orchestrator.sending_again import TOGETHER
from orchestrator.shares import WHOLE, Share
from sagas import Definitions
from support.replicas import INVENTORY, STREAMS, InMemory, Installation
from support.shapes import shape


@pytest.fixture
def installation() -> Installation:
    return Installation()


async def test_each_replica_is_answered_on_a_stream_of_its_own(installation: Installation) -> None:
    one, two = await installation.begin(2)
    await one.start("a")
    await two.start("b")
    assert installation.replytos() == [STREAMS.replies_of(0), STREAMS.replies_of(1)]
    assert [one.replica.share, two.replica.share] == [Share(0, 2), Share(1, 2)]


async def test_without_a_lease_it_is_answered_where_all_read(installation: Installation) -> None:
    installation.reply_streams = 1
    _, late = await installation.begin(2)
    await late.start("a")
    assert installation.replytos() == [STREAMS.replies]
    assert late.replica.share == WHOLE, "no timer is left to somebody who may not know of us"
    installation.answer()
    await late.bus.run_until_idle()
    assert installation.store.sagas["a"].revision == 2


async def test_without_reply_streams_all_read_one_and_share_the_timers(installation: Installation) -> None:
    installation.reply_streams = 0
    one, two = await installation.begin(2)
    await one.start("a")
    await two.start("b")
    assert installation.replytos() == [STREAMS.replies] * 2
    assert one.replica.all_streams == two.replica.own_streams == [STREAMS.replies]
    assert [one.replica.share, two.replica.share] == [Share(0, 2), Share(1, 2)]
    await two.replica.stop()
    await one.replica.beat()
    await one.replica.beat()
    assert one.replica.share == WHOLE


async def test_who_alone_notices_that_a_stream_of_all_was_lost_sends_everything_again(
    installation: Installation,
) -> None:
    installation.reply_streams = 0
    one, _ = await installation.begin(2)
    await one.start(*(f"s-{number}" for number in range(20)))
    await one.deliver()
    installation.server.destroy_group(STREAMS.replies, "orchestrator")
    await one.deliver()
    assert len(installation.replytos()) == 40


async def test_replies_of_hundreds_of_sagas_never_meet_a_stale_state(installation: Installation) -> None:
    replicas = await installation.begin(3)
    for number, one in enumerate(replicas):
        await one.start(*(f"{number}-{saga}" for saga in range(100)))
    for _ in range(3):
        installation.answer()
        for one in replicas:
            await one.deliver()
    assert Counter(state.status for state in installation.store.sagas.values()) == {Status.COMPLETED: 300}
    assert [one.conflicts for one in replicas] == [0, 0, 0]
    assert installation.store.loaded == 0, "each reply meets the state that its replica has written"


async def test_what_was_answered_to_a_dead_replica_is_taken_over_and_nothing_is_sent_again(
    installation: Installation,
) -> None:
    victim, other = await installation.begin(2)
    await victim.start("a", "b")
    installation.answer()
    assert await victim.bus.deliver(again=False)
    installation.answer()
    sent = len(installation.server.entries(INVENTORY))
    installation.kill(victim)
    for _ in range(4):
        installation.clock.advance(1)
        await other.deliver()
        installation.answer()
    await other.deliver()
    assert [installation.store.sagas[saga].status for saga in "ab"] == [Status.COMPLETED] * 2
    assert len(installation.server.entries(INVENTORY)) == sent


async def test_an_adopted_stream_is_left_alone_once_it_stays_empty(installation: Installation) -> None:
    victim, other = await installation.begin(2)
    await victim.start("a")
    installation.answer()
    installation.kill(victim)
    await installation.beat(4)
    assert STREAMS.replies_of(0) in other.replica.own_streams
    await other.bus.run_until_idle()
    await installation.beat(int(ADOPTED_FOR.total_seconds()) + 1)
    assert other.replica.own_streams == [STREAMS.replies, STREAMS.replies_of(1)]
    assert not other.bus.reads(STREAMS.replies_of(0))


async def test_one_that_is_started_again_takes_the_lowest_free_slot(installation: Installation) -> None:
    victim, _ = await installation.begin(2)
    installation.kill(victim)
    await installation.beat(4)
    (new,) = await installation.begin()
    assert new.replica.slot == 0
    assert sorted(STREAMS.replies_of(slot) for slot in (0, 1)) == sorted({*new.replica.all_streams[1:]})


async def test_one_that_stops_in_order_leaves_its_slot_at_once(installation: Installation) -> None:
    leaving, other = await installation.begin(2)
    await leaving.start("a")
    await leaving.replica.stop()
    await leaving.bus.stop()
    installation.living.remove(leaving)
    installation.answer()
    await other.deliver()
    assert installation.store.sagas["a"].revision == 2


async def test_a_lease_that_was_lost_to_another_is_given_up_and_another_slot_taken(installation: Installation) -> None:
    zombie, _ = await installation.begin(2)
    installation.living.remove(zombie)  # Paused.
    await installation.beat(4)
    (new,) = await installation.begin()
    assert new.replica.slot == zombie.replica.slot == 0
    await zombie.replica.beat()
    assert zombie.replica.slot == 2
    assert not zombie.bus.reads(STREAMS.replies_of(0))
    await zombie.start("a")
    assert installation.replytos() == [STREAMS.replies_of(2)]


async def test_a_lease_that_ended_is_taken_again_where_nobody_has_it(installation: Installation) -> None:
    (one,) = await installation.begin()
    installation.clock.advance(60)
    await one.replica.beat()
    assert one.replica.slot == 0
    installation.server.flush()
    await one.replica.beat()
    assert one.replica.slot == 0


async def test_one_that_cannot_reach_the_store_loses_its_slot_to_those_who_can(installation: Installation) -> None:
    one, two = await installation.begin(2)
    await one.start("a")
    installation.answer()
    installation.store.away = True
    with pytest.raises(Unavailable):
        await one.replica.beat()
    installation.clock.advance(4)
    installation.store.away = False
    await two.deliver()
    assert installation.store.sagas["a"].revision == 2


async def test_timers_are_shared_and_those_of_a_dead_replica_are_found_by_the_others(
    installation: Installation,
) -> None:
    one, two = await installation.begin(2)
    await one.start(*(f"s-{number}" for number in range(20)))
    installation.server.groups[INVENTORY, "inventory"].delivered = 20
    installation.clock.advance(3)
    woken = [await one.sweeper.sweep(), await two.sweeper.sweep()]
    assert sum(woken) == 20
    assert min(woken) > 0
    assert Counter(installation.replytos()[20:]) == {
        STREAMS.replies_of(slot): count for slot, count in enumerate(woken)
    }
    installation.server.groups[INVENTORY, "inventory"].delivered = 40
    installation.kill(two)
    await installation.beat(4)
    assert one.replica.share == WHOLE
    installation.clock.advance(10)
    assert await one.sweeper.sweep() == 20


async def test_while_another_is_behind_nothing_is_sent_again_but_not_for_long(
    installation: Installation,
) -> None:
    deaf, other = await installation.begin(2)
    await deaf.bus.publish([Entry(STREAMS.replies_of(0), {"causationid": "other/reserve-stock/action"})])
    installation.clock.advance(4)
    await deaf.start(*(f"s-{number}" for number in range(10)))
    installation.server.groups[INVENTORY, "inventory"].delivered = 10

    async def seconds(count: int) -> int:
        for _ in range(count):
            await installation.beat(1)
            await other.sweeper.sweep()
        return len(installation.replytos()) - 10

    assert await seconds(20) == 0
    assert await seconds(40) >= 10
    assert set(installation.replytos()[10:]) == {STREAMS.replies_of(1)}


async def test_a_wiped_bus_makes_each_replica_send_its_own_share_once(installation: Installation) -> None:
    one, two = await installation.begin(2)
    await one.start(*(f"s-{number}" for number in range(20)))
    await _deliver(one, two)
    installation.server.flush()
    await _deliver(one, two)
    assert len(installation.replytos()) == 20
    assert len(set(installation.replytos())) == 2


async def test_a_bus_that_is_wiped_twice_is_sent_everything_twice(installation: Installation) -> None:
    (one,) = await installation.begin()
    await one.start("a")
    for _ in range(2):
        await one.deliver()
        installation.server.flush()
        await one.deliver()
        assert len(installation.replytos()) == 1


async def test_a_stream_that_is_lost_later_is_answered_by_itself(installation: Installation) -> None:
    (one,) = await installation.begin()
    await one.start("a")
    await one.deliver()
    installation.server.destroy_group(STREAMS.replies, "orchestrator")
    await one.deliver()
    assert len(installation.replytos()) == 2
    installation.clock.advance(TOGETHER.total_seconds() + 1)
    await one.deliver()
    installation.server.destroy_group(STREAMS.replies_of(0), "orchestrator")
    await one.deliver()
    assert len(installation.replytos()) == 3


async def test_while_one_stream_refuses_the_others_are_not_filled_again_and_again(installation: Installation) -> None:
    (one,) = await installation.begin()
    await one.start("a")
    installation.answer()
    await one.deliver()
    await one.start("b")
    installation.server.refused.add(STREAMS.commands("payment"))
    installation.server.destroy_group(STREAMS.replies, "orchestrator")

    async def minutes(count: int) -> int:
        before = len(installation.replytos())
        for _ in range(count * 60):
            installation.clock.advance(1)
            await one.deliver()
        return len(installation.replytos()) - before

    assert 1 < await minutes(1) < 9
    assert await minutes(5) < 7
    installation.server.refused.clear()
    assert await minutes(2) == 1, "and then it is done"


async def _deliver(*replicas: InMemory) -> None:
    for one in replicas:
        await one.deliver()


async def test_a_definition_that_one_replica_does_not_know_is_looked_after_by_the_others(
    installation: Installation,
) -> None:
    newer, older = await installation.begin(2)
    older.engine.definitions = Definitions([shape("u")])
    ids = [f"s-{number}" for number in range(20)]
    await newer.start(*ids)
    installation.server.groups[INVENTORY, "inventory"].delivered = len(ids)  # And nobody answers: all of it was lost.
    for _ in range(8):
        await installation.beat(1)
        for one in (older, newer):
            await one.sweeper.sweep()
    assert len(installation.replytos()) == 2 * len(ids)


async def test_a_definition_that_no_replica_knows_stands_before_no_timer_for_long(installation: Installation) -> None:
    replicas = await installation.begin(2)
    await replicas[0].start(*(f"s-{number}" for number in range(20)))
    for one in replicas:
        one.engine.definitions = Definitions([shape("u")])
    for _ in range(8):
        await installation.beat(1)
        for one in replicas:
            await one.sweeper.sweep()
    now = installation.clock.now()
    assert all(state.wake_at and state.wake_at > now for state in installation.store.sagas.values())

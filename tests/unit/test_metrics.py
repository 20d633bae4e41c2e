"""What is counted of sagas, on in-memory twins."""

import pytest

from orchestrator.announcer import Announcer
from orchestrator.core.state import CancelRequested, RetryRequested, SkipRequested, Status
from orchestrator.engine import Engine
from orchestrator.metrics.recorder import Recorder
from orchestrator.sweeper import Sweeper
from orchestrator.work import Input
from sagas import Definitions
from sagas.order import order
from support.engines import INVENTORY, STREAMS, World
from support.metrics import Read, read
from support.orders import failure, rejection, success


class Counted(World):
    """A world whose engine is counted."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.recorder = Recorder(["order"])
        announcer = Announcer(self.bus, STREAMS, self.clock)
        self.engine = Engine(Definitions([order]), self.store, announcer, self.clock, observer=self.recorder)
        self.sweeper = Sweeper(self.engine, self.bus, STREAMS, observer=self.recorder)

    async def succeed(self, saga_id: str, times: int = 1, after_s: float = 0.0) -> None:
        for _ in range(times):
            self.clock.advance(after_s)
            await self.engine.apply([Input(saga_id, success(self.state(saga_id)))])

    def read(self) -> Read:
        return read(self.recorder.registry)


@pytest.fixture
def world() -> Counted:
    return Counted()


async def test_how_late_the_timers_are(world: Counted) -> None:
    await world.start("a")
    world.deliver_all(INVENTORY, "inventory")
    world.clock.advance(43)  # Its first re-sending was due after 3 s.
    await world.sweeper.sweep()
    assert world.read().value("saga_timer_lag_seconds") == 40
    await world.sweeper.sweep()  # The old wake-up time stands until it has been looked at once more.
    await world.sweeper.sweep()
    assert world.read().value("saga_timer_lag_seconds") == 0


async def test_a_saga_that_completes_is_started_ended_and_timed_once(world: Counted) -> None:
    await world.start("a")
    await world.succeed("a", times=3, after_s=2)
    page = world.read()
    assert page.all("saga_started_total") == {("order",): 1}
    assert page.all("saga_ended_total") == {("order", "completed"): 1}
    assert page.all("saga_duration_seconds_sum") == {("completed", "order"): 6}
    assert page.all("saga_step_duration_seconds_sum") == {
        ("action", "succeeded", "order", step): 2 for step in ("reserve-stock", "charge-payment", "confirm")
    }
    assert page.all("saga_step_attempts_total") == page.all("saga_step_duration_seconds_count")
    assert page.all("saga_replies_total") == {("applied", "succeeded"): 3}
    assert page.all("saga_stuck_total") == {}


async def test_a_rejected_saga_ends_compensated_and_its_compensation_is_timed(world: Counted) -> None:
    await world.start("a")
    await world.succeed("a", after_s=1)
    await world.engine.apply([Input("a", rejection(world.state("a")))])
    await world.succeed("a", after_s=3)
    page = world.read()
    assert page.all("saga_ended_total") == {("order", "compensated"): 1}
    assert page.all("saga_duration_seconds_sum") == {("compensated", "order"): 4}
    assert page.all("saga_step_attempts_total") == {
        ("action", "succeeded", "order", "reserve-stock"): 1,
        ("action", "rejected", "order", "charge-payment"): 1,
        ("compensation", "succeeded", "order", "reserve-stock"): 1,
    }
    assert page.all("saga_step_duration_seconds_sum")["compensation", "succeeded", "order", "reserve-stock"] == 3


async def test_a_failed_attempt_counts_and_its_retry_is_no_resending(world: Counted) -> None:
    await world.start("a")
    await world.engine.apply([Input("a", failure(world.state("a")))])
    world.deliver_all(INVENTORY, "inventory")
    world.clock.time = world.state("a").pending[0].sent_at
    await world.sweeper.sweep()
    assert world.sent(INVENTORY)[-1] == ("a/reserve-stock/action", "2")
    await world.succeed("a")
    page = world.read()
    attempts = page.all("saga_step_attempts_total")
    assert attempts["action", "failed", "order", "reserve-stock"] == 1
    assert attempts["action", "succeeded", "order", "reserve-stock"] == 1
    assert page.all("saga_step_duration_seconds_count") == {("action", "succeeded", "order", "reserve-stock"): 1}
    assert page.all("saga_commands_resent_total") == {}


async def test_silence_past_the_deadline_is_an_attempt_that_timed_out(world: Counted) -> None:
    await world.start("a")
    world.deliver_all(INVENTORY, "inventory")
    world.clock.advance(31)
    await world.sweeper.sweep()
    assert world.read().all("saga_step_attempts_total") == {("action", "timeout", "order", "reserve-stock"): 1}


async def test_a_lost_command_is_resent_and_no_attempt(world: Counted) -> None:
    await world.start("a")
    world.deliver_all(INVENTORY, "inventory")
    world.clock.advance(3)
    await world.sweeper.sweep()
    await world.engine.resend()
    page = world.read()
    assert page.all("saga_commands_resent_total") == {("action", "order", "reserve-stock"): 2}
    assert page.all("saga_step_attempts_total") == {}
    assert page.all("saga_timers_fired_total") == {(): 1}
    assert page.value("saga_sweep_due") == 1


async def test_a_saga_gets_stuck_once_however_often_its_rejection_is_repeated(world: Counted) -> None:
    rejected = await _stuck(world)
    await world.engine.apply([rejected, rejected])
    page = world.read()
    assert page.all("saga_stuck_total") == {("order", "confirm"): 1}
    assert page.all("saga_ended_total") == {}
    assert page.all("saga_step_attempts_total")["action", "rejected", "order", "confirm"] == 1


async def _stuck(world: Counted) -> Input:
    """After the pivot a rejection needs a person."""
    await world.start("a")
    await world.succeed("a", times=2)
    rejected = Input("a", rejection(world.state("a")))
    await world.engine.apply([rejected])
    assert world.state("a").status is Status.STUCK
    return rejected


async def test_a_saga_that_an_operator_helps_on_ends_like_any_other(world: Counted) -> None:
    await _stuck(world)
    await world.engine.apply([Input("a", RetryRequested("again"))])
    await world.succeed("a")
    page = world.read()
    assert page.all("saga_ended_total") == {("order", "completed"): 1}
    assert page.all("saga_step_duration_seconds_count")["action", "succeeded", "order", "confirm"] == 1


async def test_a_step_that_is_skipped_is_no_reply(world: Counted) -> None:
    await _stuck(world)
    await world.engine.apply([Input("a", SkipRequested("done by hand", {"order_id": "o-1"}))])
    page = world.read()
    assert page.all("saga_ended_total") == {("order", "completed"): 1}
    assert page.all("saga_replies_total") == {("applied", "succeeded"): 2, ("applied", "rejected"): 1}


async def test_a_cancelled_step_settles_as_unknown(world: Counted) -> None:
    await world.start("a")
    await world.engine.apply([Input("a", CancelRequested("changed my mind"))])
    assert world.read().all("saga_step_duration_seconds_count") == {("action", "unknown", "order", "reserve-stock"): 1}


async def test_late_and_repeated_replies_are_ignored_and_those_to_nobody_unknown(world: Counted) -> None:
    await world.start("a")
    reply = success(world.state("a"))
    await world.engine.apply([Input("a", reply)])
    await world.engine.apply([Input("a", reply), Input("nobody", reply)])
    page = world.read()
    assert page.all("saga_replies_total") == {("applied", "succeeded"): 1, ("ignored", "succeeded"): 1}
    assert page.value("saga_messages_unknown_total") == 1
    assert page.value("saga_apply_batch_messages_sum") == 3
    assert page.value("saga_apply_duration_seconds_count") == 2


async def test_a_repeated_start_starts_nothing(world: Counted) -> None:
    await world.start("a")
    await world.start("a", "b")
    page = world.read()
    assert page.all("saga_started_total") == {("order",): 2}
    assert page.value("saga_starts_repeated_total") == 1


async def test_a_save_lost_to_another_engine_is_a_conflict_and_counts_once(world: Counted) -> None:
    await world.start("a")
    state = world.state("a")
    await world.another().apply([Input("a", success(state))])
    await world.engine.apply([Input("a", CancelRequested(""))])
    page = world.read()
    assert page.value("saga_revision_conflicts_total") == 1
    assert page.all("saga_step_duration_seconds_count") == {("action", "unknown", "order", "charge-payment"): 1}


async def test_the_known_sagas_counters_begin_at_zero(world: Counted) -> None:
    assert world.read().value("saga_started_total", saga="order") == 0
    assert world.read().value("saga_ended_total", saga="order", status="compensated") == 0


async def test_what_was_saved_counts_also_where_announcing_it_failed(world: Counted) -> None:
    await world.start("a")
    world.bus.server.down = True
    reply = success(world.state("a"))
    with pytest.raises(Exception, match="accepts nothing"):
        await world.engine.apply([Input("a", reply)])
    world.bus.server.down = False
    await world.engine.apply([Input("a", reply, redelivered=True)])
    page = world.read()
    assert page.all("saga_step_attempts_total") == {("action", "succeeded", "order", "reserve-stock"): 1}
    assert page.all("saga_replies_total") == {("applied", "succeeded"): 1, ("ignored", "succeeded"): 1}
    assert page.all("saga_commands_resent_total") == {("action", "order", "charge-payment"): 1}

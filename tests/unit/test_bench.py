"""What a run of `saga bench` asks for, how it is driven, and what is made of it."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import pytest

from cli.bench.load import drive, group_size, lane_count
from cli.bench.measure import Ends, ends_of, percentile
from cli.bench.over_http import InBatches, Lanes, OneByOne
from cli.bench.plan import Order, Plan
from cli.bench.report import Load, Result, as_json, as_text
from cli.failure import Failure
from cli.tool_commands import Via
from sagas.order import order
from support.scripted import saga_json, scripted_service

PLAN = Plan("0a1b2c3d", sagas=1_000, warm_up=50, reject_ratio=0.1)
BEGUN = datetime(2030, 1, 1, tzinfo=UTC)


class Recorder:
    """Takes groups, and sees how many are in hand at once."""

    def __init__(self, group: int, *, fails: bool = False) -> None:
        self.group = group
        self.orders: list[Order] = []
        self.most = self.in_hand = 0
        self._fails = fails

    async def run(self, orders: Sequence[Order]) -> None:
        self.in_hand += len(orders)
        self.most = max(self.most, self.in_hand)
        self.orders += orders
        turn = asyncio.Event()
        asyncio.get_running_loop().call_soon(turn.set)
        await turn.wait()  # The other lanes come in between.
        if self._fails:
            raise Failure("refused")
        self.in_hand -= len(orders)


def test_every_id_is_the_runs_own() -> None:
    ids = [order.id for order in (*PLAN.warm_up_orders(), *PLAN.orders())]
    ids += [product.id for product in PLAN.products()] + [customer.id for customer in PLAN.customers()]

    assert all(each.startswith("bench-0a1b2c3d-") and len(each) <= 64 for each in ids)
    assert len(set(ids)) == len(ids)


def test_so_many_orders_are_declined_as_were_asked_for_evenly_spread() -> None:
    completes = [order.completes for order in PLAN.orders()]

    assert completes.count(False) == 100
    assert all(completes[first : first + 10].count(False) == 1 for first in range(0, 1_000, 10))


@pytest.mark.parametrize("ratio", [0.0, 1.0])
def test_all_or_none_can_be_declined(ratio: float) -> None:
    assert {order.completes for order in Plan("x", 9, 0, ratio).orders()} == {ratio == 0.0}


def test_there_is_enough_of_everything_for_every_order_and_each_is_a_valid_one() -> None:
    orders = [*PLAN.warm_up_orders(), *PLAN.orders()]
    bought = Counter(one.data["items"][0]["product_id"] for one in orders)
    stock = {product.id: product.stock for product in PLAN.products()}
    money = {customer.id: customer.balance for customer in PLAN.customers()}

    assert all(count <= stock[product] for product, count in bought.items())
    spent = Counter(one.data["customer_id"] for one in orders)
    poor = {customer for customer, count in spent.items() if money[customer] < count}
    assert poor == {one.data["customer_id"] for one in orders if not one.completes}
    assert all(order.start(one.data) for one in orders)


@pytest.mark.parametrize(
    ("in_flight", "group", "lanes"), [(1, 1, 1), (3, 1, 3), (400, 200, 2), (1_024, 204, 5), (2_000, 250, 8)]
)
def test_groups_and_lanes_make_what_is_in_flight(in_flight: int, group: int, lanes: int) -> None:
    assert (group_size(in_flight), lane_count(in_flight, group)) == (group, lanes)


async def test_every_order_is_run_once_with_no_more_in_flight_than_allowed() -> None:
    target = Recorder(group=7)
    told: list[int] = []

    await drive(target, PLAN.orders(), 28, lambda: False, told.append)

    assert [one.id for one in target.orders] == [one.id for one in PLAN.orders()]
    assert target.most == 28
    assert sum(told) == 1_000


async def test_once_stopped_no_more_are_started_and_those_in_hand_end() -> None:
    target = Recorder(group=5)

    await drive(target, PLAN.orders(), 20, lambda: len(target.orders) >= 100, lambda _: None)

    assert 100 <= len(target.orders) <= 120
    assert target.in_hand == 0


async def test_a_target_that_fails_ends_the_run_with_its_reason() -> None:
    with pytest.raises(Failure, match="refused"):
        await drive(Recorder(group=5, fails=True), PLAN.orders(), 20, lambda: False, lambda _: None)


@pytest.mark.parametrize(("share", "value"), [(0.5, 50), (0.99, 99), (0.999, 100), (1.0, 100), (0.001, 1)])
def test_a_percentile_is_a_value_that_was_measured(share: float, value: int) -> None:
    assert percentile(list(range(100, 0, -1)), share) == value


def test_one_measured_value_is_every_percentile() -> None:
    assert percentile([7.0], 0.5) == percentile([7.0], 0.99) == 7.0


def test_a_sagas_time_may_count_from_when_it_was_due() -> None:
    ends = ends_of([document(100, 50), document(300, 700)], lambda told: told["created_at"] - timedelta(seconds=1))

    assert (sorted(ends.took_ms), ends.seconds) == ([1_050, 1_700], 1.9)


def test_all_orders_can_be_of_one_product() -> None:
    plan = Plan("x", 9, 1, 0.0, product_count=1)

    assert {one.data["items"][0]["product_id"] for one in plan.orders()} == {product.id for product in plan.products()}
    assert plan.products()[0].stock >= 10


def test_a_saga_tells_its_number() -> None:
    assert [PLAN.number(one.id) for one in PLAN.orders()] == list(range(1_000))


def document(begun_ms: int, took_ms: int, status: str = "completed") -> dict[str, Any]:
    begun = BEGUN + timedelta(milliseconds=begun_ms)
    return {"status": status, "created_at": begun, "ended_at": begun + timedelta(milliseconds=took_ms)}


def test_the_run_lasts_from_the_first_acceptance_to_the_last_end() -> None:
    ends = ends_of([document(100, 50), document(0, 400, "compensated"), document(300, 700)])

    assert ends.seconds == 1.0
    assert sorted(ends.took_ms) == [50, 400, 700]
    assert ends.statuses == {"completed": 2, "compensated": 1}


def result(**given: Any) -> Result:
    ends = Ends(Counter(completed=90, compensated=10), [float(ms) for ms in range(1, 101)], 0.5)
    fields: dict[str, Any] = {"load": Load(Via.BATCH, 400), "answered_ms": [], "otherwise": 0, "interrupted": False}
    return Result(plan=PLAN, ends=ends, **{"cpu_s": 0.05, "wall_s": 1.0, **fields, **given})


def test_json_has_what_programs_rely_on() -> None:
    told = as_json(result())

    relied_on = ("sagas", "seconds", "sagas_per_s", "p50_ms", "p99_ms", "completed", "compensated", "via")
    assert [told[name] for name in relied_on] == [100, 0.5, 200.0, 50.0, 99.0, 90, 10, "batch"]
    assert "answered_p50_ms" not in told
    assert "offered_per_s" not in told


def test_json_tells_how_much_of_it_was_the_load_generator() -> None:
    assert [as_json(result())[name] for name in ("generator_cpu_ms", "generator_busy")] == [0.5, 0.05]

    whole = as_json(result(load=Load(Via.ENGINE, 400)))
    assert whole["process_cpu_ms"] == 0.5
    assert "generator_cpu_ms" not in whole


def test_json_of_a_rate_tells_what_was_offered_and_what_was_reached() -> None:
    told = as_json(result(load=Load(Via.BATCH, 400, rate=250.0)))

    assert (told["offered_per_s"], told["reached_per_s"]) == (250.0, 200.0)


def test_people_are_told_what_did_not_go_as_asked() -> None:
    assert "interrupted" in as_text(result(interrupted=True))
    assert "250 a second offered" in as_text(result(load=Load(Via.BATCH, 400, rate=250.0)))
    assert "it may be what limits this" in as_text(result(cpu_s=0.9))
    assert "3 ended otherwise" in as_text(result(otherwise=3))
    assert "answered: p50 2 ms" in as_text(result(answered_ms=[1.0, 2.0, 3.0]))


async def test_a_busy_service_is_asked_again_with_the_same_id() -> None:
    one = next(PLAN.orders())
    with scripted_service() as service:
        service.on("POST /v1/sagas", {"detail": "too many"}, status=503)
        service.on("POST /v1/sagas", saga_json())
        lanes = Lanes([service.url], "secret")
        target = OneByOne(lanes)
        await target.run([one])
        lanes.close()

    assert [request["headers"]["Authorization"] for request in service.requests] == ["Bearer secret"] * 2
    assert all(one.id in request["body"] for request in service.requests)
    assert len(target.answered_ms) == 1


async def test_an_order_that_is_refused_ends_the_run_with_the_services_words() -> None:
    with scripted_service() as service:
        service.on("POST /v1/sagas:batch", {"results": [{"status": 404, "detail": "no saga of this name"}]})
        lanes = Lanes([service.url], None)
        with pytest.raises(Failure, match="no saga of this name"):
            await InBatches(lanes, 1).run([next(PLAN.orders())])
        lanes.close()


async def test_several_orchestrators_get_the_load_in_turns() -> None:
    orders = list(islice(PLAN.orders(), 6))
    with scripted_service() as one, scripted_service() as other:
        for service in (one, other):
            service.on("POST /v1/sagas", saga_json())
        lanes = Lanes([one.url, other.url], None)

        await drive(OneByOne(lanes), iter(orders), 2, lambda: False, lambda _: None)
        lanes.close()

    assert {len(one.requests) > 0, len(other.requests) > 0} == {True}
    assert len(one.requests) + len(other.requests) == 6

"""A definition that can't work is refused when it is built, with a message that names saga and step."""

from typing import Any

import pytest

from sagas import Command, Endpoint, Node, Retry, Saga, pivot, step, undo
from support.definitions import (
    CHARGE,
    RELEASE,
    RESERVE,
    Order,
    Place,
    Reserve,
    Reserved,
    charge,
    order,
    problems,
    reserve,
)


@pytest.mark.parametrize("name", ["", "Order", "a/b", "a.b", "1a", "-a", "a b", "x" * 65, "a\n", None])
def test_names_fit_ids_and_urls(name: Any) -> None:
    [problem] = problems(lambda: Saga(name, version=1, input=Place, data=Order, steps=[reserve()]))
    assert problem.startswith(f"Saga {name!r}: the name {name!r}")
    assert f"the name {name!r}" in problems(lambda: order(step(name, RESERVE, undo=None)))[0]


def test_step_names_are_unique() -> None:
    assert problems(lambda: order(reserve(), reserve())) == ["order/reserve: 2 steps have this name"]


@pytest.mark.parametrize("version", [0, -1, 1.5, "1", True, 2**31])
def test_versions_count_from_one(version: Any) -> None:
    assert problems(lambda: order(reserve(), version=version)) == [
        f"order: version={version!r} must be a whole number from 1"
    ]


def test_a_saga_has_at_least_one_step_and_at_most_a_hundred() -> None:
    assert problems(order) == ["order: a saga has 1 to 100 steps, this one has 0"]
    assert problems(lambda: order(pivot())) == ["order: a saga has 1 to 100 steps, this one has 0"]
    many: list[Node[Order]] = [step(f"s{number}", RELEASE, undo=None) for number in range(101)]
    assert problems(lambda: order(*many)) == ["order: a saga has 1 to 100 steps, this one has 101"]
    assert len(order(*many[:100]).steps) == 100


def test_the_list_holds_steps_and_pivots_only() -> None:
    assert problems(lambda: order(reserve(), RESERVE)) == [
        "order: steps= holds Endpoint('inventory.reserve'), which is neither step(...) nor pivot()"
    ]


def test_the_pivot_is_the_step_before_the_marker() -> None:
    assert order(reserve(), pivot(), step("charge", CHARGE)).pivot == 0
    assert order(reserve(), charge(), pivot()).pivot == 1


def test_a_marker_at_the_start_is_passed_at_once() -> None:
    assert order(pivot(), step("reserve", RESERVE), step("charge", CHARGE)).pivot == -1


def test_without_a_marker_the_last_step_is_the_pivot() -> None:
    assert order(reserve(), step("charge", CHARGE)).pivot == 1
    assert order(reserve(), charge()).pivot == 1


def test_there_is_one_point_of_no_return() -> None:
    assert problems(lambda: order(reserve(), pivot(), pivot())) == ["order: pivot() may occur only once"]


def test_a_step_before_the_pivot_says_how_it_is_undone_or_that_there_is_nothing_to_undo() -> None:
    silent: Node[Order] = step("reserve", RESERVE)
    expected = ["order/reserve: say how it is undone, undo=undo(...), or undo=None if there is nothing to undo"]
    assert problems(lambda: order(silent, charge())) == expected
    assert problems(lambda: order(silent, pivot())) == expected
    order(step("reserve", RESERVE, undo=None), charge())


def test_a_step_after_the_pivot_has_no_undo() -> None:
    assert problems(lambda: order(pivot(), reserve())) == [
        "order/reserve: undo= is of no use after the pivot, where a step is retried until it succeeds"
    ]
    order(pivot(), step("reserve", RESERVE, undo=None))


@pytest.mark.parametrize("timeout", ["soon", 0, -1, "8d", None, True])
def test_a_step_waits_for_a_bounded_time(timeout: Any) -> None:
    assert problems(lambda: order(reserve(timeout=timeout)))[0].startswith("order/reserve: timeout=")
    assert problems(lambda: order(reserve(undo=undo(RELEASE, timeout=timeout))))[0].startswith(
        "order/reserve undo: timeout="
    )


@pytest.mark.parametrize("timeout", ["soon", 0, "366d"])
def test_a_sagas_own_deadline_is_bounded(timeout: Any) -> None:
    assert problems(lambda: order(reserve(), timeout=timeout))[0].startswith("order: timeout=")


def test_a_retry_is_a_retry() -> None:
    assert problems(lambda: order(reserve(retry=3))) == ["order/reserve: retry=3 must be Retry(...)"]
    assert order(reserve(retry=Retry(attempts=1))).steps[0].retry.attempts == 1


def test_a_definition_does_no_io() -> None:
    async def make(data: Order) -> Reserve:
        return Reserve(product=data.product)

    [problem] = problems(lambda: order(reserve(command=make)))
    assert problem == "order/reserve: command is an async function, but a definition does no I/O"
    assert problems(lambda: order(reserve(merge={"amount": "amount"})))[0].endswith("is not a function")


@pytest.mark.parametrize("wrong", [RELEASE, True, "release", {}])
def test_an_undo_is_an_undo(wrong: Any) -> None:
    assert problems(lambda: order(reserve(undo=wrong))) == [f"order/reserve: undo={wrong!r} must be undo(...) or None"]


def test_endpoints_are_endpoints() -> None:
    assert problems(lambda: order(step("x", "inventory.reserve", undo=undo("y"))))[:2] == [  # type: ignore[arg-type]
        "order/x: 'inventory.reserve' is not an Endpoint",
        "order/x undo: 'y' is not an Endpoint",
    ]


def test_one_message_type_means_one_message() -> None:
    class Other(Command):
        product: str
        note: str | None

    class Same(Command):
        """Another class of the same shape."""

        product: str

    clash = Endpoint("inventory", Other, Reserved, name="reserve")
    assert problems(lambda: order(reserve(), step("again", clash))) == [
        "order: two different messages are called inventory.reserve; give one endpoint another name="
    ]
    order(reserve(), step("again", Endpoint("inventory", Same, Reserved, name="reserve")))


def test_all_problems_are_reported_at_once() -> None:
    found = problems(lambda: order(reserve(timeout="soon"), reserve(retry=3), version=0))
    assert len(found) == 4

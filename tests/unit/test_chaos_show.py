"""What is said of cells that are not green, and of what no invariant can know."""

from chaos.campaign import Tried
from chaos.matrix import cells
from cli.chaos.show import believed, not_green, unexercised
from sagas.order import order
from support.long_saga import house

CELLS = list(cells(order))


def said(**failing: str) -> list[str]:
    """What is said where the cells of these faults are red, or grey, at reserve-stock's action."""
    found = {}
    for position, cell in enumerate(CELLS):
        here = (cell.place.step, cell.place.kind) == ("reserve-stock", "action")
        kind = failing.get(cell.fault.name.replace(" ", "_"), failing.get("every")) if here else None
        found[position] = Tried("s", position, 0 if kind == "grey" else 1, 1, 0 if kind == "red" else None)
    return list(not_green(order, found))


def test_red_cells_of_a_command_are_named_together() -> None:
    assert said(lose_reply="red", lose_command="red") == ["red: reserve-stock action: lose command, lose reply"]


def test_red_and_grey_are_told_apart() -> None:
    assert said(lose_reply="red", lose_command="grey") == [
        "red: reserve-stock action: lose reply",
        "grey: reserve-stock action: lose command",
    ]


def test_where_every_fault_is_red_it_is_not_about_the_fault() -> None:
    count = sum((cell.place.step, cell.place.kind) == ("reserve-stock", "action") for cell in CELLS)

    assert said(every="red") == [f"red: reserve-stock action: all {count} faults, so it is not about any of them"]


def test_green_is_not_worth_a_word() -> None:
    assert said() == []


def test_a_step_that_leaves_what_it_did_is_pointed_out_unless_it_is_the_pivot() -> None:
    assert list(believed(order)) == []
    assert list(believed(house)) == [
        "permit has undo=None: that what it did may stay is believed. An --invariant can say otherwise."
    ]


def test_a_run_in_which_no_saga_completes_says_how_little_it_has_shown() -> None:
    assert list(unexercised({"completed": 1, "compensated": 59})) == []
    assert list(unexercised({})) == []
    assert "No saga completed" in next(unexercised({"compensated": 60}))

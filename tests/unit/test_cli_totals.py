"""The rules by which totals add up."""

from collections import Counter

import pytest
from rich.console import Console

from cli.totals import Total, Totals, in_units

BOOTS = Total("boots", opening=10, action=-3, compensation=1, balance=8)
ALICE = Total("alice", opening=5000, action=-1999, compensation=0, balance=3001)


def totals(
    boots: Total = BOOTS, alice: Total = ALICE, ordered: int = 2, charged: int = 1999, stranger: int = 0
) -> Totals:
    return Totals([boots], [alice], 1, Counter(boots=ordered, ghost=stranger), Counter(alice=charged))


def test_totals_add_up_when_ledgers_balances_and_orders_agree() -> None:
    assert totals().problems == []


@pytest.mark.parametrize(
    ("wrong", "key"),
    [
        (totals(boots=Total("boots", 10, -3, 1, balance=7)), "boots"),
        (totals(alice=Total("alice", 5000, -1999, 0, balance=5000)), "alice"),
        (totals(ordered=1), "boots"),
        (totals(charged=3998), "alice"),
        (totals(stranger=1), "ghost"),
    ],
)
def test_whatever_differs_is_named(wrong: Totals, key: str) -> None:
    assert [problem for problem in wrong.problems if key in problem]


def test_the_table_marks_what_differs() -> None:
    console = Console(width=120)
    with console.capture() as captured:
        console.print(totals(ordered=1).table())

    boots, alice = captured.get().splitlines()[1:]
    assert "✘ differs" in boots
    assert alice.rstrip().endswith("✔")


@pytest.mark.parametrize(("cents", "written"), [(0, "0.00"), (5, "0.05"), (199900, "1,999.00"), (-1999, "-19.99")])
def test_money_is_written_with_its_cents(cents: int, written: str) -> None:
    assert in_units(cents) == written

"""Invariants as a user writes them for the order saga: one that holds, some that don't, some that can't be one."""

from collections.abc import Iterator
from typing import Any

from chaos.checker import Case


def nobody_pays_for_what_is_not_reserved(case: Case) -> Iterator[tuple[str, str]]:
    reserved: set[str] = set()
    for row in case.evidence.ledger:
        match row["step"], row["kind"]:
            case "reserve-stock", "action":
                reserved.add(row["saga_id"])
            case "reserve-stock", _:
                reserved.discard(row["saga_id"])
            case "charge-payment", "action" if row["saga_id"] not in reserved:
                yield row["saga_id"], "has paid for nothing"


def no_order_is_confirmed(case: Case) -> Iterator[tuple[str, str]]:
    for row in case.evidence.ledger:
        if row["step"] == "confirm":
            yield row["saga_id"], "is confirmed"


def nobody_is_refused(case: Case) -> Iterator[tuple[str, str]]:
    yield from ((saga_id, "is refused") for saga_id, saga in case.sagas.items() if saga["status"] != "completed")


def it_is_a_quiet_day(case: Case) -> str | None:
    return "customers came" if case.evidence.requests else None


def it_does_not_count(_case: Case) -> int:
    return 7


def it_stumbles(case: Case) -> Iterator[str]:
    for saga in case.sagas.values():
        yield saga["data"]["no-such-field"]


def it_wants_more(case: Case, limit: int) -> None: ...


async def it_waits(case: Case) -> None: ...


no_function: Any = 7

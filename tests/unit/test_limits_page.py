"""The limits that docs/guarantees.md lists are those of the code."""

import pytest

from adapters.streams import envelope
from chaos.given import given
from orchestrator.api.headers import MAX_KEY_LENGTH
from orchestrator.documents import HISTORY_LIMIT
from orchestrator.settings import Settings
from sagas import Endpoint, Reply, Saga, SagaData, checks, contracts, starting_event, step, storable, undo
from sagas.order import RELEASE_STOCK, PlaceOrder, ReserveStock
from sagas.sendable import MAX_SENT_BYTES
from sagas.steps import MAX_DATA_BYTES
from support.documents import Document
from support.source import ROOT

DAY_S = 86_400

_, _, _AFTER = Document(ROOT / "docs" / "guarantees.md").text.partition("## Limits\n")
ROWS = dict(line.strip("| ").split(" | ", 1) for line in _AFTER.partition("\n## ")[0].splitlines() if " | " in line)

BODY = Settings.model_fields["max_body_bytes"].default
BATCH = Settings.model_fields["max_batch"].default


@pytest.mark.parametrize(
    ("beginning", "shown"),
    [
        ("steps", f"{checks.MAX_STEPS}"),
        ("`timeout`", f"{checks.MAX_STEP_TIMEOUT_S / DAY_S:g} days, {checks.MAX_SAGA_TIMEOUT_S / DAY_S:g} days"),
        ("`timeout`", f"at least {checks.MIN_TIMEOUT_S * 1000:g} ms"),
        ("names", f"{contracts.MAX_NAME_LENGTH} characters"),
        ("`Idempotency-Key`", f"{MAX_KEY_LENGTH}; {starting_event.MAX_KEY_CHARS} characters"),
        ("a request's body", f"{BODY:,} bytes"),
        ("sagas in one", f"{BATCH:,} (`SAGA_MAX_BATCH`)"),
        ("sagas in one", f"{BODY // BATCH} bytes each"),
        ("a command's", f"{MAX_SENT_BYTES // 1024} KiB as JSON, nested {envelope.MAX_DEPTH} deep"),
        ("what a saga keeps", f"nested {storable.MAX_DEPTH} deep"),
        ("a saga's data", f"{MAX_DATA_BYTES:,} bytes"),
        ("history", f"{HISTORY_LIMIT} transitions"),
    ],
)
def test_a_limit_is_the_one_of_the_code(beginning: str, shown: str) -> None:
    (limit,) = [limit for what, limit in ROWS.items() if what.startswith(beginning)]

    assert shown in limit


class Noted(Reply):
    note: dict[str, object]


class Noting(SagaData):
    customer_id: str
    items: list[object]
    order_id: str | None = None
    note: dict[str, object] | None = None


@pytest.mark.parametrize("key", ["a.b", "$a"])
def test_a_reply_that_can_not_be_kept_is_the_sagas_failure(key: str) -> None:
    noting = Endpoint("inventory", ReserveStock, Noted)
    saga = Saga(
        "noting",
        version=1,
        input=PlaceOrder,
        data=Noting,
        steps=[step("note", noting, undo=undo(RELEASE_STOCK)), step("again", noting)],
    )

    story = given(saga).started().sent("note").succeeded(note={key: 1}).sent("release-stock").because("internal")
    story.succeeded().is_compensated()
    given(saga).started().sent("note").succeeded(note={}).sent("again").succeeded(note={key: 1}).is_stuck()

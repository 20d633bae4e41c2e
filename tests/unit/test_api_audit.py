"""Who did what: each request of an operator leaves exactly one record, and no payload is in it."""

from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Any

import pytest
import structlog

from adapters.errors import Unavailable
from orchestrator.audit import MemoryAuditLog, Record
from support.api import Api, running

SECRET = "value-that-must-not-be-kept"


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with running(Api()) as made:
        await made.start(id="a")
        yield made


ACTIONS: list[tuple[str, str, Any, str, str | None]] = [
    ("a", "cancel", {"reason": "why"}, "accepted", None),
    ("a", "cancel", {}, "accepted", None),
    ("a", "retry", {"reason": "why"}, "refused", "not-stuck"),
    ("a", "skip", {"reason": "why", "data": {"amount": SECRET}}, "refused", "not-stuck"),
    ("a", "abort", {"reason": "why", SECRET: 1}, "refused", "invalid-request"),
    ("a", "abort", [], "refused", "invalid-request"),
    ("unknown", "retry", {"reason": "why"}, "refused", "saga-not-found"),
    (SECRET + "!", "retry", {}, "refused", "saga-not-found"),
]


@pytest.mark.parametrize(("saga_id", "action", "body", "outcome", "refusal"), ACTIONS)
async def test_each_action_leaves_one_record(
    api: Api, saga_id: str, action: str, body: Any, outcome: str, refusal: str | None
) -> None:
    with structlog.testing.capture_logs() as logged:
        await api.client.post(f"/v1/sagas/{saga_id}/{action}", json=body, headers={"X-Request-Id": "r-1"})
    (record,) = api.audit.records
    assert (record.action, record.outcome.value, record.refusal) == (action, outcome, refusal)
    assert record.saga_id == (None if "!" in saga_id else saga_id)
    assert record.reason in ("why", "", None)
    assert record.request_id == "r-1"
    assert SECRET not in repr(asdict(record))
    (line,) = [line for line in logged if line["event"] == "audit"]
    assert (line["action"], line["outcome"], line["refusal"]) == (action, outcome, refusal)
    assert "why" not in repr(logged)


async def test_the_reason_is_kept(api: Api) -> None:
    await api.client.post("/v1/sagas/a/cancel", json={"reason": "wrong shoes"})
    assert [record.reason for record in api.audit.records] == ["wrong shoes"]


async def test_what_may_be_done_or_not_is_recorded_as_unknown(api: Api) -> None:
    api.store.away = True
    await api.client.post("/v1/sagas/a/cancel", json={})
    assert [(record.outcome, record.refusal) for record in api.audit.records] == [("unknown", "Unavailable")]


async def test_starting_and_looking_leaves_no_record(api: Api) -> None:
    await api.start()
    for path in ("/v1/sagas", "/v1/sagas/a", "/v1/sagas/a/history", "/livez"):
        await api.client.get(path)
    assert api.audit.records == []


class AwayAuditLog(MemoryAuditLog):
    """Stores nothing."""

    async def add(self, record: Record) -> None:
        raise Unavailable("away")


async def test_what_is_done_is_answered_also_where_its_record_is_lost_and_then_the_log_has_it() -> None:
    async with running(Api(audit=AwayAuditLog())) as api:
        await api.start(id="a")
        with structlog.testing.capture_logs() as logged:
            answer = await api.client.post("/v1/sagas/a/cancel", json={})
    assert answer.status_code == 202
    assert [line["event"] for line in logged if line["event"].startswith("audit")] == ["audit", "audit-not-stored"]

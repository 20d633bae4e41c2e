"""What a person may do, on real servers: cancel a saga, redrive a dead letter, and leave a record of it."""

import hashlib
from collections.abc import AsyncIterator

import httpx
import pytest

from adapters.bus import Entry
from adapters.mongo import find
from orchestrator.app import Orchestrator
from orchestrator.settings import Settings
from support import eventually
from support.api import client_of
from support.services import ordering, settings_for

TOKEN = "a-key-of-the-tests"
KEY = f"ops:{hashlib.sha256(TOKEN.encode()).hexdigest()}:read+start+operate"


@pytest.fixture
async def orchestrator(mongo_url: str, redis_url: str) -> AsyncIterator[Orchestrator]:
    settings: Settings = settings_for(mongo_url, redis_url, api_keys=KEY)
    made = Orchestrator(settings)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def client(orchestrator: Orchestrator) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(orchestrator.app) as made:
        made.headers["Authorization"] = f"Bearer {TOKEN}"
        yield made


async def audited(orchestrator: Orchestrator) -> list[tuple[str, str, str]]:
    records = orchestrator.mongo.database(orchestrator.settings.database).audit
    found = await find(records, {}, limit=9, sort=[("at", 1), ("_id", 1)])
    return [(record["who"], record["action"], record["outcome"]) for record in found]


async def test_a_cancelled_saga_tells_its_history(orchestrator: Orchestrator, client: httpx.AsyncClient) -> None:
    saga_id = (await client.post("/v1/sagas", json=ordering())).json()["id"]
    cancelled = await client.post(f"/v1/sagas/{saga_id}/cancel", json={"reason": "no"}, headers={"If-Match": '"1"'})
    assert (cancelled.status_code, cancelled.json()["status"]) == (202, "compensating")
    refused = await client.post(f"/v1/sagas/{saga_id}/retry", json={})
    assert (refused.status_code, refused.json()["code"]) == (409, "not-stuck")
    history = (await client.get(f"/v1/sagas/{saga_id}/history?revision=1")).json()
    assert [item["revision"] for item in history["items"]] == [1, 2]
    assert history["then"]["status"] == "running"
    assert await audited(orchestrator) == [("ops", "cancel", "accepted"), ("ops", "retry", "refused")]


async def test_a_redriven_dead_letter_is_received_again(orchestrator: Orchestrator, client: httpx.AsyncClient) -> None:
    replies = orchestrator.bus.streams.replies
    await orchestrator.bus.publish([Entry(replies, {"causationid": "s/a/action", "outcome": "perhaps", "data": "{}"})])

    async def letters(count: int) -> list[dict[str, str]] | None:
        items: list[dict[str, str]] = (await client.get("/v1/dead-letters")).json()["items"]
        return items if len(items) == count else None

    (letter,) = await eventually(lambda: letters(1)) or []
    redriven = await client.post(f"/v1/dead-letters/{letter['id']}/redrive")
    assert (redriven.status_code, redriven.json()["redriven_by"]) == (202, "ops")
    both = await eventually(lambda: letters(2)) or []  # It is as wrong as it was before.
    assert letter["id"] in {one["id"] for one in both}
    for one in both:
        assert (await client.delete(f"/v1/dead-letters/{one['id']}")).status_code == 204
    assert [action for _, action, _ in await audited(orchestrator)] == ["redrive", *["delete-dead-letter"] * 2]


async def test_whoever_has_no_key_is_written_down(orchestrator: Orchestrator, client: httpx.AsyncClient) -> None:
    del client.headers["Authorization"]
    assert (await client.get("/v1/sagas")).status_code == 401
    assert await audited(orchestrator) == [("", "authenticate", "refused")]

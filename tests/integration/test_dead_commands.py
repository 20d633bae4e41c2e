"""Dead letters of commands: participants leave them on Redis, the orchestrator keeps a copy that a flush can't take."""

from typing import Any

from adapters.bus import Entry
from orchestrator.app import Orchestrator
from support import eventually
from support.api import client_of
from support.services import participating, settings_for

POISON = {"id": "s/reserve-stock/action", "type": "inventory.reserve-stock", "subject": "s", "data": "{"}


async def test_a_dead_command_is_shown_by_the_service(mongo_url: str, redis_url: str) -> None:
    settings = settings_for(mongo_url, redis_url)
    orchestrator = Orchestrator(settings)
    await orchestrator.start()
    try:
        async with participating(settings), client_of(orchestrator.app) as client:
            stream = orchestrator.bus.streams.commands("inventory")
            await orchestrator.bus.publish([Entry(stream, POISON)])

            async def letters() -> list[dict[str, Any]]:
                items: list[dict[str, Any]] = (await client.get("/v1/dead-letters")).json()["items"]
                return items

            await eventually(letters, within_s=20)
            (letter,) = await letters()
            assert (letter["stream"], letter["saga_id"]) == (stream, "s")
            whole = (await client.get(f"/v1/dead-letters/{letter['id']}")).json()
            assert whole["fields"] == POISON
    finally:
        await orchestrator.stop()

"""A backlog keeps new sagas out: while nobody works off the streams, what is added to them only makes it later."""

import httpx

from support.services import ordering, participating, serving, settings_for
from support.waiting import eventually


async def test_too_long_a_backlog_is_answered_503_until_it_is_worked_off(mongo_url: str, redis_url: str) -> None:
    settings = settings_for(mongo_url, redis_url, max_backlog=3)

    async with serving(settings) as client:

        async def start(saga_id: str = "a") -> httpx.Response:
            """The same again starts none: how often it is asked adds nothing to what is to be worked off."""
            return await client.post("/v1/sagas", json=ordering(id=saga_id))

        async def refused() -> bool:
            return (await start()).status_code == 503

        async def accepted() -> bool:
            return (await start()).status_code == 202

        for saga_id in "abcd":
            await start(saga_id)
        await eventually(refused)
        answer = await start()
        assert answer.json()["type"] == "/problems/overloaded"
        assert "messages wait in one stream" in answer.json()["detail"]
        assert int(answer.headers["Retry-After"]) > 0
        assert (await client.get("/v1/sagas")).status_code == 200
        async with participating(settings):
            await eventually(accepted)

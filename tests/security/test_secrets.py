"""A secret that is given to the service comes out nowhere: a canary in both URLs and in a key, looked for all over."""

import asyncio
import hashlib
import signal

import httpx
import pytest

from orchestrator.settings import InvalidSettings, Settings
from participants.settings import ParticipantSettings
from support import eventually
from support.orchestrator_process import own_environment, process

CANARY = "canary-7f3a9c"
MONGO = f"mongodb://saga:{CANARY}@127.0.0.1:1/?replicaSet=rs0"
REDIS = f"redis://saga:{CANARY}@127.0.0.1:1/0"
KEY = f"key-{CANARY}"
WITH_KEY = {"Authorization": f"Bearer {KEY}"}
PATHS = ("/readyz?verbose", "/metrics", "/v1/sagas", "/v1/sagas/a", "/v1/definitions", "/docs", "/openapi.json")
DIGEST = hashlib.sha256(KEY.encode()).hexdigest()


async def test_no_log_line_metric_or_answer_of_a_process_has_it() -> None:
    keys = f"ops:{DIGEST}:read+start+operate"
    environment = own_environment(MONGO, REDIS) | {"SAGA_API_KEYS": keys, "SAGA_LOG_LEVEL": "debug"}
    base_url = f"http://127.0.0.1:{environment['SAGA_HTTP_PORT']}"
    async with process(environment) as child, httpx.AsyncClient(trust_env=False, base_url=base_url) as client:

        async def answers() -> bool:
            try:
                return (await client.get("/livez")).status_code == 200
            except httpx.TransportError:
                return False

        await eventually(answers, within_s=20)
        asked = [client.get(path, headers=sent) for path in PATHS for sent in (WITH_KEY, {})]
        seen = [f"{answer.headers} {answer.text}" for answer in await asyncio.gather(*asked)]
        child.send_signal(signal.SIGTERM)
        output = b"".join(await asyncio.wait_for(child.communicate(), 30)).decode()
    assert "waiting-for-mongodb" in output  # It was tried, and what the driver said of it was logged.
    for text in (output, *seen):
        assert CANARY not in text
        assert DIGEST not in text


def test_settings_do_not_show_it() -> None:
    for settings in (
        Settings.load(mongo_url=MONGO, redis_url=REDIS, api_keys=f"ops:{DIGEST}:read"),
        ParticipantSettings(mongo_url=MONGO, redis_url=REDIS),
    ):
        for shown in (
            repr(settings),
            str(settings),
            f"{settings}",
            repr(settings.model_dump()),
            settings.model_dump_json(),
        ):
            assert CANARY not in shown
            assert DIGEST not in shown


@pytest.mark.parametrize(
    "wrong",
    [
        {"mongo_url": f"http://{CANARY}"},
        {"redis_url": CANARY},
        {"api_keys": CANARY},
        {"api_keys": f"ops:{CANARY}:read"},
        {"http_port": CANARY},
    ],
)
def test_an_error_about_settings_does_not_show_it(wrong: dict[str, str]) -> None:
    with pytest.raises(InvalidSettings) as raised:
        Settings.load(**{"mongo_url": MONGO, "redis_url": REDIS} | wrong)
    assert CANARY not in str(raised.value)
    assert CANARY not in repr(raised.value.__cause__)

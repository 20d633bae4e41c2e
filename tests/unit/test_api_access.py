"""The door: who may call what, for every route and every kind of key, from one table."""

import hashlib
from collections.abc import AsyncIterator, Mapping

import httpx
import pytest

from orchestrator.api.access import TABLE, check_table
from orchestrator.api.application import routers, served
from orchestrator.keys import Access, KeyRing, parse_keys
from support.api import BODY, Api, problem, running

TOKENS = {access.value: f"token-of-{access.value}" for access in Access} | {"second": "another-token-of-start"}
NAMES = {"second": "start"}
GARBAGE: Mapping[str, Mapping[str, str]] = {
    "nothing": {},
    "garbage": {"Authorization": "Bearer garbage"},
    "a digest": {"Authorization": f"Bearer {hashlib.sha256(TOKENS['read'].encode()).hexdigest()}"},
    "another scheme": {"Authorization": f"Basic {TOKENS['read']}"},
    "no scheme": {"Authorization": TOKENS["read"]},
    "two keys": {"Authorization": f"Bearer {TOKENS['read']} {TOKENS['start']}"},
    "an endless key": {"Authorization": "Bearer " + "x" * 10_000},
    "an empty key": {"Authorization": "Bearer "},
    "an expired key": {"Authorization": "Bearer once-good"},
}
ROUTES = sorted((method, path, access) for (method, path), access in TABLE.items() if access is not None)


def ring() -> KeyRing:
    lines = [
        f"{NAMES.get(name, name)}:{hashlib.sha256(token.encode()).hexdigest()}:{NAMES.get(name, name)}"
        for name, token in TOKENS.items()
    ]
    expired = f"once:{hashlib.sha256(b'once-good').hexdigest()}:read+start+operate:2020-01-31"
    return KeyRing(parse_keys(",".join([*lines, expired])))


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with running(Api(keys=ring())) as made:
        yield made


def bearer(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {TOKENS[name]}"}


async def ask(api: Api, method: str, path: str, headers: Mapping[str, str]) -> httpx.Response:
    return await api.client.request(method, path.replace("{", "").replace("}", ""), headers=dict(headers))


async def test_every_route_is_in_the_table(api: Api) -> None:
    check_table(served(api.app, routers(api.services)))
    assert ("GET", "/openapi.json") in served(api.app, routers(api.services))
    with pytest.raises(LookupError, match="/v1/forgotten"):
        check_table([("GET", "/v1/forgotten")])


@pytest.mark.parametrize(("method", "path", "needed"), ROUTES)
async def test_a_key_opens_exactly_what_its_scope_is_for(api: Api, method: str, path: str, needed: Access) -> None:
    api.services.stopping.set()  # So that no answer goes on for ever.
    for scope in Access:
        answer = await ask(api, method, path, bearer(scope.value))
        if scope is needed:
            assert answer.status_code not in (401, 403)
        else:
            assert problem(answer, "scope-missing", 403)["needed"] == needed.value
            assert f'scope="{needed}"' in answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize(("method", "path", "needed"), ROUTES)
async def test_without_a_good_key_nothing_opens(api: Api, method: str, path: str, needed: Access) -> None:
    for headers in GARBAGE.values():
        answer = await ask(api, method, path, headers)
        problem(answer, "unauthenticated", 401)
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert not api.store.sagas


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/nothing"), ("GET", "/v1"), ("DELETE", "/v1/sagas"), ("POST", "/livez"), ("GET", "/")]
)
async def test_what_does_not_exist_is_behind_the_door_too(api: Api, method: str, path: str) -> None:
    problem(await ask(api, method, path, {}), "unauthenticated", 401)
    assert (await ask(api, method, path, bearer("read"))).status_code in (404, 405)


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/readyz?verbose"])
async def test_probes_need_no_key(api: Api, path: str) -> None:
    assert (await api.client.get(path)).status_code == 200
    assert (await api.client.get(path, headers=GARBAGE["garbage"])).status_code == 200
    assert api.audit.records == []


async def test_without_keys_everything_is_open() -> None:
    async with running(Api()) as api:
        assert (await api.client.get("/v1/sagas")).status_code == 200
        assert (await api.start(GARBAGE["garbage"])).status_code == 202


async def test_below_another_path_the_door_is_the_same(api: Api) -> None:
    transport = httpx.ASGITransport(app=api.app, root_path="/below")
    async with httpx.AsyncClient(transport=transport, base_url="http://saga") as client:
        answer = await client.post("/below/v1/sagas", json=BODY, headers=bearer("read"))
        problem(answer, "scope-missing", 403)
        assert (await client.post("/below/v1/sagas", json=BODY, headers=bearer("start"))).status_code == 202


async def test_head_is_as_guarded_as_get(api: Api) -> None:
    assert (await api.client.head("/openapi.json")).status_code == 401
    assert (await api.client.head("/openapi.json", headers=bearer("start"))).status_code == 403


async def test_two_keys_of_one_caller_share_their_idempotency_keys_and_two_callers_do_not(api: Api) -> None:
    once = {"Idempotency-Key": "k"}
    first = await api.start(once | bearer("start"))
    second = await api.start(once | bearer("second"))
    assert first.json()["id"] == second.json()["id"]
    async with running(Api()) as other:
        assert (await other.start(once)).json()["id"] != first.json()["id"]
    batch = {"sagas": [BODY]}
    ids = {
        (await api.client.post("/v1/sagas:batch", json=batch, headers=once | bearer(name))).json()["results"][0]["id"]
        for name in ("start", "second")
    }
    assert len(ids) == 1


async def test_whoever_is_turned_away_leaves_one_record_without_the_key(api: Api) -> None:
    for headers in GARBAGE.values():
        await api.client.get("/v1/sagas?q=private", headers=dict(headers))
    assert len(api.audit.records) == len(GARBAGE)
    assert {(record.who, record.action, record.refusal) for record in api.audit.records} == {
        ("", "authenticate", "unauthenticated")
    }
    assert {record.path for record in api.audit.records} == {"/v1/sagas"}
    assert "token-of" not in repr(api.audit.records)


async def test_whoever_lacks_a_scope_leaves_one_record_with_their_name(api: Api) -> None:
    await api.client.post("/v1/sagas/a/cancel", json={}, headers=bearer("read"))
    (record,) = api.audit.records
    assert (record.who, record.action, record.refusal) == ("read", "authorize", "scope-missing")


async def test_an_action_is_recorded_with_the_name_of_its_key(api: Api) -> None:
    await api.start(bearer("start"), id="a")
    await api.client.post("/v1/sagas/a/cancel", json={}, headers=bearer("operate"))
    assert [(record.who, record.action, record.outcome) for record in api.audit.records] == [
        ("operate", "cancel", "accepted")
    ]


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_a_page_of_another_site_changes_nothing(site: str) -> None:
    async with running(Api()) as api:
        problem(await api.start({"Sec-Fetch-Site": site}), "cross-site", 403)
        assert not api.store.sagas
        assert (await api.start({"Sec-Fetch-Site": "same-origin"})).status_code == 202
        assert (await api.client.get("/v1/sagas", headers={"Sec-Fetch-Site": site})).status_code == 200


@pytest.mark.parametrize("origin", ["http://evil.example:8700", "http://[", "null", "http://localhost.evil.example"])
async def test_nor_does_one_whose_name_leads_to_this_machine_by_now(origin: str) -> None:
    async with running(Api()) as api:
        problem(await api.start({"Origin": origin}), "cross-site", 403)
        assert not api.store.sagas


@pytest.mark.parametrize("host", ["localhost:8700", "127.0.0.1:8700", "[::1]:8700", "shop.localhost"])
async def test_a_page_of_this_machine_may(host: str) -> None:
    async with running(Api()) as api:
        assert (await api.start({"Origin": f"http://{host}"})).status_code == 202


async def test_with_keys_a_page_may_be_of_any_host_that_the_browser_takes_for_ours(api: Api) -> None:
    assert (await api.start({**bearer("start"), "Origin": "https://sagas.example"})).status_code == 202

"""Every route against every kind of caller: exactly who gets in is what the one table says."""

import hashlib
from collections.abc import AsyncIterator
from itertools import combinations

import pytest

from orchestrator.api.access import TABLE
from orchestrator.api.application import routers, served
from orchestrator.keys import Access, KeyRing, parse_keys
from support.api import Api, running

NOBODY, GARBAGE, EXPIRED = "nobody", "garbage", "expired"
SUBSETS = [frozenset(chosen) for size in (1, 2, 3) for chosen in combinations(Access, size)]
CALLERS: dict[str, frozenset[Access] | None] = {
    **dict.fromkeys((NOBODY, GARBAGE, EXPIRED)),
    **{"+".join(sorted(scopes)): scopes for scopes in SUBSETS},
}


def entry(name: str) -> str:
    scopes, until = ("read+start+operate", ":2020-01-31") if name == EXPIRED else (name, "")
    return f"{name.replace('+', '-')}:{hashlib.sha256(name.encode()).hexdigest()}:{scopes}{until}"


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    ring = KeyRing(parse_keys(",".join(map(entry, CALLERS.keys() - {NOBODY, GARBAGE}))))
    async with running(Api(keys=ring)) as made:
        made.services.stopping.set()  # So that no stream goes on for ever.
        yield made


def expected(needed: Access | None, scopes: frozenset[Access] | None) -> str:
    if needed is None:
        return "in"
    if scopes is None:
        return "401"
    return "in" if needed in scopes else "403"


async def test_who_gets_in_is_what_the_table_says(api: Api) -> None:
    found, wanted = {}, {}
    for (method, path), needed in TABLE.items():
        for caller, scopes in CALLERS.items():
            headers = {} if caller == NOBODY else {"Authorization": f"Bearer {caller}"}
            status = (
                await api.client.request(method, path.replace("{", "").replace("}", ""), headers=headers)
            ).status_code
            found[method, path, caller] = str(status) if status in (401, 403) else "in"
            wanted[method, path, caller] = expected(needed, scopes)
    assert found == wanted
    assert len(found) == len(TABLE) * (3 + 7)


async def test_the_table_has_every_route_and_no_other(api: Api) -> None:
    assert set(TABLE) == served(api.app, routers(api.services))
    assert {path for (_, path), needed in TABLE.items() if needed is None} == {"/livez", "/readyz"}

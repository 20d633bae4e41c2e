"""How often a caller may ask: the bucket's arithmetic, and what it does to requests."""

import hashlib
from collections.abc import Mapping

import httpx
import pytest

from orchestrator.api.rates import MAX_PLACES, Pace, Rates
from orchestrator.keys import KeyRing, parse_keys
from support.api import Api, problem, running


def test_a_second_s_worth_may_come_at_once_and_then_one_at_a_time() -> None:
    pace = Pace(10)
    assert [pace.take("a", 0.0).left for _ in range(10)] == list(range(9, -1, -1))
    refused = pace.take("a", 0.0)
    assert not refused.allowed
    assert refused.wait_s == pytest.approx(0.1)
    assert not pace.take("a", 0.09).allowed
    assert pace.take("a", 0.1).allowed
    assert not pace.take("a", 0.1).allowed
    assert pace.take("a", 5.0).left == 9


def test_whoever_is_refused_does_not_wait_longer_for_having_asked() -> None:
    pace = Pace(1)
    assert pace.take("a", 0.0).allowed
    assert not any(pace.take("a", n / 100).allowed for n in range(99))
    assert pace.take("a", 1.0).allowed


def test_less_than_one_a_second_is_one_in_many_seconds() -> None:
    pace = Pace(0.1)
    assert pace.take("a", 0.0).allowed
    assert pace.take("a", 1.0).wait_s == pytest.approx(9.0)
    assert pace.take("a", 10.0).allowed


def test_everybody_has_a_place_of_their_own_and_empty_ones_are_given_up() -> None:
    pace = Pace(1)
    assert all(pace.take(f"{n}", n / 1_000).allowed for n in range(3 * MAX_PLACES))
    assert len(pace._used_until) <= MAX_PLACES  # noqa: SLF001 - its bound is the point


def ring(*names: str) -> KeyRing:
    return KeyRing(parse_keys(",".join(f"{name}:{hashlib.sha256(name.encode()).hexdigest()}:read" for name in names)))


async def ask(api: Api, token: str | None, count: int, path: str = "/v1/sagas") -> list[httpx.Response]:
    headers: Mapping[str, str] = {} if token is None else {"Authorization": f"Bearer {token}"}
    return [await api.client.get(path, headers=headers) for _ in range(count)]


async def test_one_key_that_asks_too_often_is_refused_and_no_other() -> None:
    async with running(Api(keys=ring("web", "ops"), rates=Rates(per_key=5))) as api:
        answers = await ask(api, "web", 50)
        refused = [answer for answer in answers if answer.status_code != 200]
        assert len(refused) >= 40
        for answer in refused:
            assert "this key" in problem(answer, "rate-limited", 429)["detail"]
            assert int(answer.headers["Retry-After"]) >= 1
            assert answer.headers["RateLimit"].startswith('"key";r=0;t=')
        assert answers[0].headers["RateLimit"] == '"key";r=4;t=1'
        assert answers[0].headers["RateLimit-Policy"] == '"key";q=5;w=1'
        (other,) = await ask(api, "ops", 1)
        assert other.status_code == 200


async def test_a_flood_without_a_key_is_refused_unheard_and_leaves_few_records() -> None:
    async with running(Api(keys=ring("web"), rates=Rates(per_key=5))) as api:
        answers = await ask(api, "guess", 50)
        assert {answer.status_code for answer in answers} == {401, 429}
        assert len(api.audit.records) <= 6
        (known,) = await ask(api, "web", 1)
        assert known.status_code == 200


async def test_all_together_have_a_limit_too_and_probes_have_none() -> None:
    async with running(Api(rates=Rates(total=5))) as api:
        answers = await ask(api, None, 20)
        assert "all callers" in problem(answers[-1], "rate-limited", 429)["detail"]
        assert {answer.status_code for answer in await ask(api, None, 20, "/livez")} == {200}


async def test_without_a_limit_nothing_is_said_of_one() -> None:
    async with running(Api()) as api:
        answers = await ask(api, None, 100)
        assert {answer.status_code for answer in answers} == {200}
        assert "RateLimit" not in answers[0].headers

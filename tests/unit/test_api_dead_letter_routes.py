"""Dead letters over HTTP: looked at, put on their streams again, removed; each by somebody who is written down."""

from collections.abc import AsyncIterator, Sequence

import pytest

from adapters.bus import Ack, Dead, Delivery, Verdict
from orchestrator.api import schemas_dead_letters
from orchestrator.dead_letters import MAX_TOTAL_LENGTH, letter_id
from support.api import Api, problem, running

STREAM = "saga.replies"
UNKNOWN = "0" * 32


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with running(Api()) as made:
        yield made


async def buried(api: Api, number: int = 1, data: str = "{") -> str:
    """A dead letter; its id."""
    fields = {"subject": "a", "type": "t.succeeded", "causationid": "a/reserve-stock/action", "data": data}
    await api.letters(Delivery(STREAM, f"1-{number}", fields), "data is not JSON")
    return letter_id(STREAM, f"1-{number}")


def path(found: str, action: str = "") -> str:
    return f"/v1/dead-letters/{found}{action}"


async def test_dead_letters_are_listed_newest_first_page_by_page(api: Api) -> None:
    ids = {await buried(api, number) for number in range(5)}
    seen: list[str] = []
    cursor = ""
    for size in (2, 2, 1):
        page = (await api.client.get(f"/v1/dead-letters?limit=2{cursor}")).json()
        schemas_dead_letters.DeadLetterPage.model_validate(page)
        assert len(page["items"]) == size
        seen += [item["id"] for item in page["items"]]
        cursor = f"&cursor={page['next']}"
    assert set(seen) == ids
    assert page["next"] is None


async def test_a_list_shows_why_but_nothing_of_what_was_in_it(api: Api) -> None:
    await buried(api, data="value-that-is-private")
    answer = await api.client.get("/v1/dead-letters")
    (item,) = answer.json()["items"]
    assert (item["stream"], item["entry_id"], item["reason"]) == (STREAM, "1-1", "data is not JSON")
    assert (item["saga_id"], item["type"], item["redrives"]) == ("a", "t.succeeded", 0)
    assert "value-that-is-private" not in answer.text


async def test_one_is_shown_with_all_it_held(api: Api) -> None:
    found = (await api.client.get(path(await buried(api)))).json()
    schemas_dead_letters.WholeDeadLetter.model_validate(found)
    assert found["fields"]["data"] == "{"


async def test_a_redriven_one_is_on_its_stream_again_as_it_was(api: Api) -> None:
    found = await buried(api)
    before = len(api.bus.server.entries(STREAM))
    answer = await api.client.post(path(found, "/redrive"))
    assert (answer.status_code, answer.json()["redrives"]) == (202, 1)
    assert answer.json()["redriven_at"]
    (entry,) = api.bus.server.entries(STREAM)[before:]
    whole = (await api.client.get(path(found))).json()
    assert dict(entry) == whole.pop("fields")
    assert whole == answer.json()


async def test_one_that_was_redriven_before_is_redriven_again_only_when_told_so(api: Api) -> None:
    found = await buried(api)
    await api.client.post(path(found, "/redrive"))
    refused = await api.client.post(path(found, "/redrive"))
    assert problem(refused, "refused", 409)["code"] == "already-redriven"
    again = await api.client.post(path(found, "/redrive?again=true"))
    assert (again.status_code, again.json()["redrives"]) == (202, 2)
    assert len(api.bus.server.entries(STREAM)) == 2


async def test_one_that_was_not_kept_whole_is_not_redriven(api: Api) -> None:
    found = await buried(api, data="x" * (MAX_TOTAL_LENGTH + 1))
    refused = await api.client.post(path(found, "/redrive"))
    assert problem(refused, "refused", 409)["code"] == "truncated"
    assert not api.bus.server.entries(STREAM)


async def test_without_a_bus_nothing_is_marked(api: Api) -> None:
    found = await buried(api)
    api.bus.server.down = True
    answer = await api.client.post(path(found, "/redrive"))
    problem(answer, "unavailable", 503)
    assert answer.headers["Retry-After"]
    assert api.letters.letters[found].redrives == 0


async def test_a_deleted_one_is_gone(api: Api) -> None:
    found = await buried(api)
    answer = await api.client.delete(path(found))
    assert (answer.status_code, answer.content) == (204, b"")
    problem(await api.client.delete(path(found)), "dead-letter-not-found", 404)
    assert (await api.client.get("/v1/dead-letters")).json()["items"] == []


@pytest.mark.parametrize("found", [UNKNOWN, "x", "%24ne", "a" * 65, UNKNOWN.upper() + "A"])
async def test_an_unknown_one_is_not_found(api: Api, found: str) -> None:
    await buried(api)
    for answer in (
        await api.client.get(path(found)),
        await api.client.post(path(found, "/redrive")),
        await api.client.delete(path(found)),
    ):
        problem(answer, "dead-letter-not-found", 404)


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "cursor=nonsense", "stream=x"])
async def test_a_page_that_makes_no_sense_is_refused(api: Api, query: str) -> None:
    problem(await api.client.get(f"/v1/dead-letters?{query}"), "invalid-request", 422)


async def test_while_they_are_away_that_is_said(api: Api) -> None:
    api.letters.away = True
    for answer in (
        await api.client.get("/v1/dead-letters"),
        await api.client.get(path(UNKNOWN)),
        await api.client.post(path(UNKNOWN, "/redrive")),
        await api.client.delete(path(UNKNOWN)),
    ):
        problem(answer, "unavailable", 503)


async def test_who_redrives_and_deletes_is_written_down_once_each(api: Api) -> None:
    found = await buried(api)
    await api.client.post(path(found, "/redrive"))
    await api.client.post(path(found, "/redrive"))
    await api.client.delete(path(found))
    await api.client.delete(path(UNKNOWN))
    told = [(record.action, record.outcome.value, record.refusal, record.dead_letter) for record in api.audit.records]
    assert told == [
        ("redrive", "accepted", None, found),
        ("redrive", "refused", "already-redriven", found),
        ("delete-dead-letter", "accepted", None, found),
        ("delete-dead-letter", "refused", "dead-letter-not-found", None),
    ]
    assert {record.saga_id for record in api.audit.records} == {"a", None}


async def of_a_shop(api: Api, stream: str = "orders-stream") -> str:
    """A dead event of another service; its id."""
    await api.letters(Delivery(stream, "1-1", {"type": "ORDER_CREATED", "data": "{}"}), "no order id")
    return letter_id(stream, "1-1")


async def test_a_dead_event_of_another_service_is_tried_here_and_published_nowhere() -> None:
    handled: list[Delivery] = []
    verdicts: list[Verdict] = [Dead("no order id"), Ack()]

    async def handler(deliveries: Sequence[Delivery]) -> Sequence[Verdict]:
        handled.extend(deliveries)
        return [verdicts.pop(0)]

    async with running(Api(start_events={"orders-stream": handler})) as api:
        found = await of_a_shop(api)
        refused = problem(await api.client.post(path(found, "/redrive")), "refused", 409)
        assert (refused["code"], refused["detail"]) == ("still-dead", "It can't be handled: no order id")
        assert (await api.client.get(path(found))).json()["redrives"] == 0

        done = await api.client.post(path(found, "/redrive"))
        assert (done.status_code, done.json()["redrives"]) == (202, 1)
        assert [one.fields["type"] for one in handled] == ["ORDER_CREATED"] * 2
        assert not api.bus.server.entries("orders-stream")


async def test_a_stream_of_others_is_not_written_to_once_no_saga_starts_there(api: Api) -> None:
    refused = problem(await api.client.post(path(await of_a_shop(api), "/redrive")), "refused", 409)
    assert refused["code"] == "still-dead"
    assert "No saga starts on this stream any more" in str(refused["detail"])
    assert not api.bus.server.entries("orders-stream")

"""The AsyncAPI document: what the orchestrator really sends fits it, and so does what it takes."""

import json
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # It comes without types.
import pytest

from adapters.streams.names import Streams
from examples.parcel import parcel
from orchestrator.api.asyncapi import describe
from sagas import Definitions
from sagas.order import order
from support.api import Api, running
from support.start_events import thanks
from support.waiting import eventually

Json = dict[str, Any]


def document(prefix: str = "saga.") -> Json:
    return describe(Definitions([order, parcel]), Streams(prefix))


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        yield from (found for item in value.values() for found in references(item))
    if isinstance(value, list):
        yield from (found for item in value for found in references(item))


def at(root: Any, reference: str) -> Any:
    for part in reference.removeprefix("#/").split("/"):
        root = root[part]
    return root


def check(root: Json, message: str, fields: dict[str, str]) -> None:
    """Raise unless the entry's fields are this message."""
    described = root["components"]["messages"][message]
    headers = {name: value for name, value in fields.items() if name != "data"}
    jsonschema.validate(headers, described["headers"], format_checker=jsonschema.FormatChecker())
    jsonschema.validate(json.loads(fields["data"]), {**described["payload"], "components": root["components"]})


async def entries(api: Api, stream: str, count: int) -> list[dict[str, str]]:
    await eventually(lambda: len(api.bus.server.entries(stream)) >= count)
    return [dict(fields) for fields in api.bus.server.entries(stream)]


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    made = Api()
    made.answering(charge_payment="declined")
    async with running(made):
        yield made


async def test_what_is_sent_fits_what_is_described(api: Api) -> None:
    root = document()
    await api.start({"Prefer": "wait=10", "traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}, id="a")
    seen = set()
    for name in ("inventory", "payment"):
        for fields in await entries(api, f"saga.commands.{name}", 1):
            check(root, fields["type"], fields)
            seen.add(fields["type"])
    assert seen == {"inventory.reserve-stock", "payment.charge-payment", "inventory.release-stock"}
    for fields in await entries(api, "saga.replies", 3):
        check(root, fields["type"], fields)
    for fields in await entries(api, "saga.events", 5):
        check(root, fields["type"], fields)


async def test_every_stream_command_reply_and_event_is_there() -> None:
    root = document("x.")
    addresses = {channel["address"] for channel in root["channels"].values()}
    assert {"x.commands.inventory", "x.commands.inventory.dead", "x.replies", "x.replies.dead", "x.events"} <= addresses
    for saga in (order, parcel):
        for step in saga.steps:
            for endpoint in (step.endpoint, step.undo.endpoint) if step.undo else (step.endpoint,):
                channel = root["channels"][f"commands.{endpoint.participant}"]
                assert {endpoint.type, f"{endpoint.participant}.revoke"} <= set(channel["messages"])
                answers = {f"{endpoint.type}.{outcome}" for outcome in ("succeeded", "rejected", "failed")}
                assert answers <= set(root["channels"]["replies"]["messages"])
        assert f"saga.{saga.name}.step-compensated" in root["channels"]["events"]["messages"]


def test_the_events_that_start_sagas_are_there() -> None:
    root = describe(Definitions([thanks]), Streams())
    channel = root["channels"]["start.thanks"]
    assert channel["address"] == "orders-stream"
    assert "saga.orchestrator" in channel["description"]
    for data in ('{"orderId": "o-1", "customerId": "alice"}', '{"order_id": "o-1", "customer_id": "alice"}'):
        check(root, "start.thanks", {"type": "ORDER_CREATED", "data": data})
    with pytest.raises(jsonschema.ValidationError):
        check(root, "start.thanks", {"type": "ORDER_CREATED", "data": '{"orderId": "o-1", "price": 1}'})
    assert root["channels"]["start.thanks.dead"]["address"] == "orders-stream.dead"


def test_every_reference_leads_somewhere_and_nothing_is_left_over() -> None:
    root = document()
    used = set(references(root))
    for reference in used:
        assert at(root, reference) is not None
    for kind in ("messages", "schemas"):
        assert {f"#/components/{kind}/{name}" for name in root["components"][kind]} <= used
    for channel in root["channels"].values():
        assert channel["address"]
        assert channel["messages"]
    for operation in root["operations"].values():
        assert operation["action"] in ("send", "receive")
        own = set(operation["channel"].values())
        assert all(message["$ref"].startswith(f"{next(iter(own))}/") for message in operation.get("messages", ()))


@pytest.mark.skipif("SAGA_ASYNCAPI_SCHEMA" not in os.environ, reason="SAGA_ASYNCAPI_SCHEMA names no schema")
def test_the_document_fits_the_official_schema() -> None:
    """It is in the npm package @asyncapi/specs: schemas/3.0.0-without-$id.json."""
    schema = json.loads(Path(os.environ["SAGA_ASYNCAPI_SCHEMA"]).read_text())
    jsonschema.validators.validator_for(schema)(schema).validate(document())


def test_partitions_are_told_where_there_are_any() -> None:
    channels = describe(Definitions([order]), Streams(partitions=12))["channels"]
    said = "It has 12 partitions, `saga.commands.payment.{0}` to `saga.commands.payment.{11}`."
    assert channels["commands.payment"]["description"].endswith(said)
    assert channels["replies"]["description"].endswith("`saga.replies.{0}` to `saga.replies.{11}`.")

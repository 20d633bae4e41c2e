"""The floor writes what the service writes for `saga bench`, with the same fields and as many bytes."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import bson
import pytest

from adapters.streams.envelope import encode_command, encode_event, encode_reply
from benchmarks import floor_writes
from cli.bench.plan import Plan
from orchestrator.core.decide import begin, decide
from orchestrator.core.state import Decision
from orchestrator.documents import Change, to_document, to_update
from participants.barrier import Row
from participants.context import Context
from participants.inbox import document_of
from participants.ledger import Change as Effect
from sagas.messages import Kind, Outcome, ReplyMessage
from sagas.order import order
from support.orders import success

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PLACED = list(Plan("89abcdef", 43, 0, 0.0).orders())[42]
ID = PLACED.id
REPLIES: list[dict[str, Any]] = [{"amount": 1}, {}, {"order_id": ID}]


def decisions() -> list[Decision]:
    """Of an order that completes."""
    found = [begin(order, ID, order.start(PLACED.data), NOW, request="0" * 64, traceparent=None)]
    for reply in REPLIES:
        found.append(decide(order, found[-1].state, success(found[-1].state, reply), NOW))
    return found


def shape(value: Any) -> Any:
    """Its fields and their types, whatever stands in them."""
    if isinstance(value, Mapping):
        return {name: shape(one) for name, one in value.items()}
    return [shape(one) for one in value] if isinstance(value, list) else type(value)


def assert_alike(floor: Mapping[str, Any], ours: Mapping[str, Any]) -> None:
    assert shape(floor) == shape(ours)
    assert len(bson.encode(dict(floor))) == len(bson.encode(dict(ours)))


def pairs(fields: tuple[str, ...]) -> dict[str, str]:
    return dict(zip(fields[::2], fields[1::2], strict=True))


def test_its_sagas_are_named_as_those_that_are_measured() -> None:
    assert floor_writes.saga_id("89abcdef", 42) == ID


def test_a_saga_is_what_the_service_writes() -> None:
    assert_alike(floor_writes.saga(ID, NOW), to_document(decisions()[0].state))


@pytest.mark.parametrize("step", range(3))
def test_its_updates_are(step: int) -> None:
    before, after = decisions()[step : step + 2]
    assert after.transition is not None

    assert_alike(floor_writes.advance(ID, step, NOW), to_update(Change(before.state, after.state, (after.transition,))))


@pytest.mark.parametrize("step", range(3))
def test_its_commands_and_replies_are(step: int) -> None:
    (command,) = decisions()[step].commands
    names = (f"{command.type}.succeeded", f"/participants/{command.participant}")
    reply = ReplyMessage(command.id, Outcome.SUCCEEDED, REPLIES[step], 1, *names, NOW)

    assert_alike(pairs(floor_writes.command(ID, step)), encode_command(command) | {"replyto": "b123456.replies.0"})
    assert_alike(pairs(floor_writes.reply(ID, step)), encode_reply(reply))


@pytest.mark.parametrize("done", range(4))
def test_its_events_are(done: int) -> None:
    assert_alike(pairs(floor_writes.event(ID, done)), encode_event(decisions()[done].events[0]))


@pytest.mark.parametrize("step", range(3))
def test_a_participants_rows_are(step: int) -> None:
    (command,) = decisions()[step].commands
    of = (command.id, ID, command.step, Kind.ACTION, command.type, Outcome.SUCCEEDED)
    row = Row(*of, command.data, REPLIES[step], NOW, NOW)
    key = (PLACED.data["items"][0]["product_id"], PLACED.data["customer_id"], ID)[step]

    assert_alike(floor_writes.inbox_row(ID, step, NOW), document_of(row))
    assert_alike(floor_writes.ledger_row(ID, step, NOW), Effect(Context.of(command, NOW, None), key, -1).row())

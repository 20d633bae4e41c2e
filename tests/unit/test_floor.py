"""The floor writes what the service writes: the same fields, and as many bytes, or it would be another measure."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import bson
import pytest

from adapters.streams.envelope import encode_command, encode_event, encode_reply
from benchmarks import floor_writes
from orchestrator.core.state import Decision
from orchestrator.documents import Change, to_document, to_update
from participants.barrier import Row
from participants.context import Context
from participants.inbox import document_of
from participants.ledger import Change as Effect
from sagas.messages import Kind, Outcome, ReplyMessage
from sagas.values import replace
from support.orders import ANSWERS, started, succeeded

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ID = "5f0c6a9a0b1c4d2e8f3a7b6c5d4e3f2a-17"
SOME = 0.03  #: what sizes may differ by


def decisions() -> list[Decision]:
    """Of an order that completes."""
    found = [started(ID, NOW)]
    for _ in range(3):
        found.append(succeeded(found[-1].state, NOW))
    return found


def shape(value: Any) -> Any:
    """Its fields, whatever stands in them."""
    if isinstance(value, Mapping):
        return {name: shape(one) for name, one in value.items()}
    return [shape(one) for one in value] if isinstance(value, list) else None


def alike(floor: Mapping[str, Any], ours: Mapping[str, Any]) -> bool:
    return shape(floor) == shape(ours) and size(floor) == pytest.approx(size(ours), rel=SOME)


def size(document: Mapping[str, Any]) -> int:
    return len(bson.encode(dict(document)))


def test_a_saga_is_what_the_service_writes() -> None:
    ours = replace(decisions()[0].state, request="0" * 64)

    assert alike(floor_writes.saga(ID, NOW), to_document(ours))


@pytest.mark.parametrize("step", range(3))
def test_its_updates_are(step: int) -> None:
    before, after = decisions()[step : step + 2]
    assert after.transition is not None
    ours = to_update(Change(before.state, after.state, (after.transition,)))
    history = ours["$push"]["history"]

    assert alike(floor_writes.advance(ID, step, NOW), ours | {"$push": {"history": history["$each"][0]}})


@pytest.mark.parametrize("step", range(3))
def test_its_messages_are(step: int) -> None:
    before, after = decisions()[step : step + 2]
    (command,) = before.commands
    answer = ANSWERS[command.step]
    names = (f"{command.type}.succeeded", f"/participants/{command.participant}")
    told = ReplyMessage(command.id, Outcome.SUCCEEDED, answer, 1, *names, NOW)

    assert alike(pairs(floor_writes.command(ID, step)), encode_command(command) | {"replyto": "saga.replies.0"})
    assert alike(pairs(floor_writes.reply(ID, step)), encode_reply(told))
    assert alike(pairs(floor_writes.event(ID, step + 2)), encode_event(after.events[0]))


@pytest.mark.parametrize("step", range(3))
def test_a_participants_rows_are(step: int) -> None:
    (command,) = decisions()[step].commands
    reply = ANSWERS[command.step]
    row = Row(
        *(command.id, ID, command.step, Kind.ACTION, command.type, Outcome.SUCCEEDED, command.data, reply, NOW, NOW)
    )

    assert alike(floor_writes.inbox_row(ID, step, NOW), document_of(row))
    assert alike(floor_writes.ledger_row(ID, step, NOW), Effect(Context.of(command, NOW, None), "boots", -1).row())


def pairs(fields: tuple[str, ...]) -> dict[str, str]:
    return dict(zip(fields[::2], fields[1::2], strict=True))

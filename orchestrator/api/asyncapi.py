"""The AsyncAPI 3.0 document: every stream, command, reply and event of the definitions that are known here. Pure.

An entry's field `data` is a message's payload, its other fields are the message's headers; docs/wire-protocol.md says
what they mean. It is written from the orchestrator's side, which sends commands and events, and receives replies.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from pydantic.alias_generators import to_camel

from adapters.streams.names import Streams
from orchestrator.api import asyncapi_fields as fields
from orchestrator.api.references import lifted, reference
from orchestrator.core.conclude import PUBLISHED
from orchestrator.core.state import Status
from sagas import Definitions, Saga
from sagas.contracts import REVOKE, AnyEndpoint
from sagas.messages import Kind, Outcome
from sagas.schemas import schema

Json = dict[str, Any]

VERSION = "3.0.0"

_DESCRIPTION = (
    "Messages are entries of Redis streams. An entry's field `data` holds the payload as JSON text; its other fields "
    "are the headers, as text. Anything may arrive twice, late, out of order, or not at all, and then it is sent again."
)
_REFUSED = {
    "type": "object",
    "properties": {"code": {"type": "string"}, "detail": {"type": "string"}},
    "required": ["code"],
}
_ANYTHING = {"type": "object"}


def describe(definitions: Definitions, streams: Streams) -> Json:
    """The document of the orchestrator that has these definitions and streams."""
    document = _Document(streams)
    for participant, uses in sorted(_participants(definitions).items()):
        document.participant(participant, uses)
    document.events(definitions)
    for stream, sagas in sorted(definitions.starting_on.items()):
        for saga in sagas:
            document.start(saga, stream)
    document.dead_letters()
    return document.finished()


class _Use:
    """A participant's endpoint, and what sagas use it for."""

    def __init__(self, endpoint: AnyEndpoint) -> None:
        self.endpoint = endpoint
        self.kinds: set[Kind] = set()
        self.steps: list[str] = []


def _participants(definitions: Definitions) -> dict[str, dict[str, _Use]]:
    found: dict[str, dict[str, _Use]] = {}
    for saga, step, endpoint, kind in _endpoints(definitions):
        use = found.setdefault(endpoint.participant, {}).setdefault(endpoint.type, _Use(endpoint))
        use.kinds.add(kind)
        use.steps.append(f"{saga.name} v{saga.version}: {'undoes ' * (kind is Kind.COMPENSATION)}{step}")
    return found


def _endpoints(definitions: Definitions) -> Iterator[tuple[Saga, str, AnyEndpoint, Kind]]:
    for saga in definitions:
        for step in saga.steps:
            yield saga, step.name, step.endpoint, Kind.ACTION
            if step.undo is not None:
                yield saga, step.name, step.undo.endpoint, Kind.COMPENSATION


class _Document:
    """What has been described so far."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams
        self._channels: Json = {}
        self._operations: Json = {}
        self._messages: Json = {}
        self._schemas: Json = {}

    def finished(self) -> Json:
        return {
            "asyncapi": VERSION,
            "info": {"title": "Saga orchestrator", "version": "1", "description": _DESCRIPTION},
            "defaultContentType": "application/json",
            "channels": self._channels,
            "operations": self._operations,
            "components": {"messages": self._messages, "schemas": self._schemas},
        }

    def participant(self, name: str, uses: dict[str, _Use]) -> None:
        """Its commands, and what it answers to each."""
        stream, group = self._streams.commands(name), self._streams.own_group(self._streams.commands(name))
        for use in uses.values():
            self._exchange(name, use.endpoint.type, use.kinds, "; ".join(dict.fromkeys(use.steps)), use.endpoint)
        said = f"Makes sure that a command of {name} never takes effect, or learns that it has."
        self._exchange(name, f"{name}.{REVOKE}", {Kind.REVOKE}, said, None)
        self._channels[f"commands.{name}"] |= {
            "address": stream,
            "description": f"Commands for {name}, read by the consumer group `{group}`.{self._partitions(stream)}",
        }

    def _exchange(self, name: str, kind: str, kinds: set[Kind], said: str, endpoint: AnyEndpoint | None) -> None:
        """A command, its three answers, and the operation that joins them."""
        command = {"type": "object"} if endpoint is None else self._payload(kind, endpoint.command)
        done = _ANYTHING if endpoint is None else self._payload(f"{kind}.succeeded", endpoint.reply)
        self._message(f"commands.{name}", kind, said, fields.command(kind, name, kinds, self._streams.replies), command)
        # Only whoever is asked to revoke a command tells, as a rejection, what that command was answered.
        refused = _ANYTHING if endpoint is None else _REFUSED
        payloads = {Outcome.SUCCEEDED: done, Outcome.REJECTED: refused, Outcome.FAILED: _REFUSED}
        for outcome, payload in payloads.items():
            about = f"The answer to {kind}: {outcome.value}."
            self._message("replies", f"{kind}.{outcome.value}", about, fields.reply(kind, name, outcome), payload)
        self._channels["replies"] |= {
            "address": self._streams.replies,
            "description": "Answers of participants, on the stream that `replyto` names: this or `.0`, `.1` … of it. "
            f"Read by the group `orchestrator`.{self._partitions(self._streams.replies)}",
        }
        self._operations[f"send.{kind}"] = {
            "action": "send",
            "channel": _channel(f"commands.{name}"),
            "summary": said,
            "messages": [_in_channel(f"commands.{name}", kind)],
            "reply": {
                "channel": _channel("replies"),
                "messages": [_in_channel("replies", f"{kind}.{outcome.value}") for outcome in payloads],
            },
        }

    def _partitions(self, stream: str) -> str:
        first, *others = self._streams.all_of(stream)
        return f" It has {len(others) + 1} partitions, `{first}` to `{others[-1]}`." if others else ""

    def events(self, definitions: Definitions) -> None:
        """What happens to sagas, for anyone."""
        for name in definitions.names:
            versions = [saga for saga in definitions if saga.name == name]
            for event in sorted(PUBLISHED):
                kind = f"saga.{name}.{event}"
                self._message("events", kind, f"{name}: {event}.", fields.event(kind), _event(versions))
        said = "What happened to sagas, at least once as long as Redis keeps its data: drop an `id` that you have seen."
        self._add("events", self._streams.events, said, "send")

    def start(self, saga: Saga, stream: str) -> None:
        """Another service's event that starts a saga."""
        event = saga.starts_on
        assert event is not None, "only sagas that an event starts"
        channel, kind = f"start.{saga.name}", f"start.{saga.name}"
        # Where a function makes the input of the event, only its author knows what the event has to look like.
        payload = _ANYTHING if event.input is not None else self._input(kind, saga.input)
        said = f"Starts a saga '{saga.name}', once for each key."
        self._message(channel, kind, said, fields.published(event.type), payload)
        self._messages[kind] |= {"name": event.type, "title": event.type}
        group = self._streams.our_group(stream)
        self._add(channel, stream, f"Events of another service, read by the consumer group `{group}`.", "receive")

    def dead_letters(self) -> None:
        """Where messages go that can never be handled, for each stream that has a group of ours."""
        for channel in [name for name in self._channels if name != "events"]:
            dead = f"{channel}.dead"
            said = "A message that could not be handled: its own fields, and where, when and why it died."
            self._message(dead, "dead-letter", said, fields.dead_letter(), _ANYTHING)
            # Whoever reads a stream writes its dead letters; the orchestrator copies those of the participants.
            stream = self._streams.dead(self._channels[channel]["address"])
            self._add(dead, stream, "The newest dead letters.", "send" if channel == "replies" else "receive")

    def _add(self, channel: str, address: str, description: str, action: str) -> None:
        self._channels[channel] |= {"address": address, "description": description}
        self._operations[f"{action}.{channel}"] = {"action": action, "channel": _channel(channel)}

    def _message(self, channel: str, kind: str, summary: str, headers: Json, payload: Json) -> None:
        message = {"name": kind, "title": kind, "summary": summary, "headers": headers, "payload": payload}
        self._messages[kind] = message
        messages = self._channels.setdefault(channel, {}).setdefault("messages", {})
        messages[kind] = {"$ref": f"#/components/messages/{kind}"}

    def _input(self, kind: str, model: type[Any]) -> Json:
        """A saga's input, which may be spelt in either way."""
        self._schemas[f"{kind}.camelCase"] = lifted(_in_camel_case(schema(model)), f"{kind}.camelCase.", self._schemas)
        return {"anyOf": [reference(f"{kind}.camelCase"), self._payload(kind, model)]}

    def _payload(self, kind: str, model: type[Any]) -> Json:
        self._schemas[kind] = lifted(schema(model), f"{kind}.", self._schemas)
        return reference(kind)


def _in_camel_case(shape: Any) -> Any:
    if isinstance(shape, list):
        return [_in_camel_case(item) for item in shape]
    if not isinstance(shape, dict):
        return shape
    found = {key: _in_camel_case(item) for key, item in shape.items() if key != "examples"}
    if isinstance(found.get("properties"), dict):
        found["properties"] = {to_camel(name): item for name, item in found["properties"].items()}
        found["required"] = [to_camel(name) for name in found.get("required", ())]
    return found


def _channel(name: str) -> Json:
    return {"$ref": f"#/channels/{name}"}


def _in_channel(channel: str, kind: str) -> Json:
    return {"$ref": f"#/channels/{channel}/messages/{kind}"}


def _nullable(shape: Json) -> Json:
    return {"anyOf": [shape, {"type": "null"}]}


def _event(versions: Sequence[Saga]) -> Json:
    steps = sorted({step.name for saga in versions for step in saga.steps})
    properties = {
        "saga": {"const": versions[0].name},
        "version": {"type": "integer", "minimum": 1},
        "revision": {"type": "integer", "minimum": 1},
        "status": {"enum": [status.value for status in Status]},
        "step": _nullable({"enum": steps}),
        "attempt": _nullable({"type": "integer", "minimum": 1}),
        "code": _nullable({"type": "string"}),
    }
    return {"type": "object", "properties": properties, "required": list(properties)}

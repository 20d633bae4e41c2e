"""What the OpenAPI document says of the sagas that are known here: the requests that start them, and their data."""

from typing import Any

from orchestrator.api import examples
from orchestrator.api.body import ID_PATTERN
from orchestrator.api.references import ROOT, lifted, reference
from sagas import Definitions, Saga
from sagas.schemas import schema

Json = dict[str, Any]

#: Each one is checked by itself, so a bad one among them is a result and not an error.
_ONE_OF_MANY = {"anyOf": [reference("StartRequest"), {"description": "Anything else: its result is a problem."}]}


def requests(definitions: Definitions, components: Json, max_batch: int) -> None:
    """The bodies that start sagas, each with its newest version."""
    newest = [definitions.latest(name) for name in definitions.names]
    starts = {saga.name: _start(saga, components) for saga in newest}
    components["StartRequest"] = {
        "oneOf": list(starts.values()),
        "discriminator": {"propertyName": "saga", "mapping": {name: one["$ref"] for name, one in starts.items()}},
    }
    components["BatchRequest"] = {
        "type": "object",
        "properties": {"sagas": {"type": "array", "minItems": 1, "maxItems": max_batch, "items": _ONE_OF_MANY}},
        "required": ["sagas"],
        "additionalProperties": False,
    }
    shown = [example for saga in newest if (example := _example(saga)) is not None]
    if shown:
        components["StartRequest"]["examples"] = shown
        components["BatchRequest"]["examples"] = [{"sagas": shown}]


def answers(definitions: Definitions, components: Json) -> None:
    """A saga as it is shown: exactly for each version that is known, and any that is not."""
    other = components["Saga"]
    known = [_shown(saga, other, components) for saga in definitions]
    components["OtherSaga"] = other | {"description": "A saga of a definition that this service does not have."}
    components["Saga"] = {"anyOf": [*known, reference("OtherSaga")], "examples": [examples.SAGA]}


def _start(saga: Saga, components: Json) -> Json:
    """A request that starts this saga; its input's own definitions move to the components, under the saga's name."""
    prefix = _prefix(saga)
    components[f"{prefix}input"] = lifted(schema(saga.input), prefix, components)
    components[f"{prefix}start"] = {
        "type": "object",
        "title": f"Start {saga.name}",
        "properties": {
            "saga": {"const": saga.name, "type": "string"},
            "data": reference(f"{prefix}input"),
            "id": {"anyOf": [{"type": "string", "pattern": ID_PATTERN}, {"type": "null"}]},
        },
        "required": ["saga", "data"],
        "additionalProperties": False,
    }
    return reference(f"{prefix}start")


def _shown(saga: Saga, any_saga: Json, components: Json) -> Json:
    prefix = _prefix(saga)
    data = saga.data.model_json_schema(
        mode="serialization", by_alias=False, ref_template=f"{ROOT}{prefix}data.{{model}}"
    )
    components |= {f"{prefix}data.{name}": one for name, one in data.pop("$defs", {}).items()}
    components[f"{prefix}data"] = data
    exact = {
        "saga": {"const": saga.name, "type": "string"},
        "version": {"const": saga.version, "type": "integer"},
        "data": reference(f"{prefix}data"),
    }
    components[f"{prefix}saga"] = any_saga | {
        "title": f"{saga.name} v{saga.version}",
        "properties": any_saga["properties"] | exact,
    }
    return reference(f"{prefix}saga")


def _example(saga: Saga) -> Json | None:
    """The first example that the input's author gives."""
    given = schema(saga.input).get("examples")
    return {"saga": saga.name, "data": given[0]} if given else None


def _prefix(saga: Saga) -> str:
    return f"{saga.name}.v{saga.version}."

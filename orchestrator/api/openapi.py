"""The OpenAPI 3.1 document: FastAPI's, with the exact input of every saga that can be started here."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from orchestrator.api import schemas
from orchestrator.api.access import TABLE
from orchestrator.api.body import ID_PATTERN
from orchestrator.api.describing import problems
from orchestrator.api.operating import SkipRequest, WithReason
from orchestrator.api.problems import Kind
from orchestrator.api.references import ROOT, lifted, reference
from sagas import Definitions, Saga
from sagas.schemas import schema

#: Each one is checked by itself, so a bad one among them is a result and not an error.
_ONE_OF_MANY = {"anyOf": [reference("StartRequest"), {"description": "Anything else: its result is a problem."}]}


def describe(app: FastAPI, definitions: Definitions, max_batch: int) -> dict[str, Any]:
    """The document of this service."""
    document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    components = document.setdefault("components", {}).setdefault("schemas", {})
    components["Problem"] = schemas.Problem.model_json_schema(ref_template=ROOT + "{model}")
    components["Error"] = components["Problem"].pop("$defs")["Error"]
    for model in (WithReason, SkipRequest):
        components[model.__name__] = model.model_json_schema(ref_template=ROOT + "{model}")
    starts = [_start(definitions.latest(name), components) for name in definitions.names]
    components["StartRequest"] = {"oneOf": starts, "discriminator": {"propertyName": "saga"}}
    components["BatchRequest"] = {
        "type": "object",
        "properties": {"sagas": {"type": "array", "minItems": 1, "maxItems": max_batch, "items": _ONE_OF_MANY}},
        "required": ["sagas"],
        "additionalProperties": False,
    }
    _secure(document)
    return document


def _secure(document: dict[str, Any]) -> None:
    """What the door answers, at every route that is behind it."""
    document["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            needed = TABLE[method.upper(), path]
            if needed is not None:
                kinds = [Kind.SCOPE_MISSING] if method == "get" else [Kind.SCOPE_MISSING, Kind.CROSS_SITE]
                answers = problems(Kind.UNAUTHENTICATED, Kind.RATE_LIMITED, *kinds)
                operation["responses"] |= {str(status): shown for status, shown in answers.items()}
                operation["security"] = [{"key": [needed.value]}, {}]


def _start(saga: Saga, components: dict[str, Any]) -> dict[str, Any]:
    """A request that starts this saga; its input's own definitions move to the components, under the saga's name."""
    prefix = f"{saga.name}.v{saga.version}."
    given = schema(saga.input)
    components[f"{prefix}input"] = lifted(given, prefix, components)
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

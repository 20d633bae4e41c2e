"""The OpenAPI 3.1 document: FastAPI's, with the exact sagas that are known here, and an example of everything."""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from orchestrator.api import examples, openapi_sagas, schemas, schemas_events
from orchestrator.api.access import TABLE
from orchestrator.api.definitions import summary, whole
from orchestrator.api.describing import EVERYWHERE, Responses, problems
from orchestrator.api.operating import SkipRequest, WithReason
from orchestrator.api.problems import Kind
from orchestrator.api.references import ROOT
from sagas import Definitions

Json = dict[str, Any]

_SCHEMAS = {"input", "data", "command", "reply"}


def describe(app: FastAPI, definitions: Definitions, *, max_batch: int, with_keys: bool) -> Json:
    """The document of this service."""
    document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    components = document.setdefault("components", {}).setdefault("schemas", {})
    components["Problem"] = schemas.Problem.model_json_schema(ref_template=ROOT + "{model}")
    components["Error"] = components["Problem"].pop("$defs")["Error"]
    for model in (WithReason, SkipRequest, schemas_events.TransitionTold):
        components[model.__name__] = model.model_json_schema(ref_template=ROOT + "{model}")
    for name, example in (examples.ANSWERS | _definitions(definitions)).items():
        components[name]["examples"] = [example]
    openapi_sagas.requests(definitions, components, max_batch)
    openapi_sagas.answers(definitions, components)
    document["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    for path, method, operation in _operations(document):
        operation["responses"] |= _by_text(problems(*EVERYWHERE))
        _secure(operation, method, path, with_keys=with_keys)
        _explain(operation, definitions)
    return document


def _operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield path, method, operation


def _secure(operation: Json, method: str, path: str, *, with_keys: bool) -> None:
    """What the door answers, where the route is behind it."""
    needed = TABLE[method.upper(), path]
    if needed is not None:
        kinds = [Kind.SCOPE_MISSING] if method == "get" else [Kind.SCOPE_MISSING, Kind.CROSS_SITE]
        answers = problems(Kind.UNAUTHENTICATED, Kind.RATE_LIMITED, *kinds)
        operation["responses"] |= _by_text(answers)
        operation["security"] = [{"key": [needed.value]}] + ([] if with_keys else [{}])


def _by_text(answers: Responses) -> Json:
    return {str(status): shown for status, shown in answers.items()}


def _explain(operation: Json, definitions: Definitions) -> None:
    """Say of the parameters in a path what they are."""
    known = {"name": ("The definition's name.", definitions.names[0])} if len(definitions) else {}
    if operation["operationId"] == "showProblem":
        known = {"name": ("The last part of the problem's type.", Kind.NOT_FOUND.slug)}
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "path":
            parameter["description"], parameter["example"] = (examples.PARAMETERS | known)[parameter["name"]]


def _definitions(definitions: Definitions) -> Json:
    """Examples of definitions: the first one that is known here."""
    first = next(iter(definitions), None)
    if first is None:
        return {}
    return {"Definition": _without_schemas(whole(first, [first])), "DefinitionList": {"items": [summary(first)]}}


def _without_schemas(shown: Any) -> Any:
    """Without JSON schemas: their references would lead nowhere in this document."""
    if isinstance(shown, list):
        return [_without_schemas(item) for item in shown]
    if not isinstance(shown, dict):
        return shown
    return {key: {} if key in _SCHEMAS else _without_schemas(item) for key, item in shown.items()}

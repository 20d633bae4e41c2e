"""The OpenAPI document is valid, and says what is served: no more and no less."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from orchestrator.api.access import TABLE
from orchestrator.api.application import served
from orchestrator.api.problems import Kind
from support.api import Api, problem, running

#: Served, and not described: the document itself, and the scripts of its page.
NOT_DESCRIBED = {("GET", "/openapi.json"), ("GET", "/docs/{name}")}
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE", "QUERY", "FLY")


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with running(Api()) as made:
        yield made


def operations(document: dict[str, Any]) -> dict[tuple[str, str], Any]:
    return {
        (method.upper(), path): operation
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }


async def test_the_document_is_valid(api: Api) -> None:
    OpenAPIV31SpecValidator(api.app.openapi()).validate()


async def test_what_is_described_is_what_is_served(api: Api) -> None:
    described = set(operations(api.app.openapi()))
    assert described | NOT_DESCRIBED == served(api.app, api.services)
    assert len({one["operationId"] for one in operations(api.app.openapi()).values()}) == len(described)


async def test_every_other_method_of_every_path_is_refused(api: Api) -> None:
    listed = served(api.app, api.services) | {("HEAD", "/openapi.json")}  # FastAPI's own route takes it.
    for path in {path for _, path in listed}:
        for method in METHODS:
            if (method, path) not in listed:
                answer = await api.client.request(method, path.replace("{", "").replace("}", ""))
                if method != "HEAD":  # Its answers have no body.
                    problem(answer, "method-not-allowed", 405)
                assert answer.status_code == 405, (method, path)
                allowed = {name for name, where in listed if where == path}
                assert set(answer.headers["Allow"].split(", ")) <= allowed | {"HEAD"}


async def test_every_operation_names_its_problems(api: Api) -> None:
    for (method, path), operation in operations(api.app.openapi()).items():
        text = str(operation["responses"])
        needed = {Kind.UNAUTHENTICATED, Kind.SCOPE_MISSING, Kind.RATE_LIMITED} if TABLE[method, path] else set()
        if method != "GET":
            needed |= {Kind.CROSS_SITE}
        if "requestBody" in operation:
            needed |= {Kind.MALFORMED_JSON, Kind.UNSUPPORTED_MEDIA_TYPE, Kind.BODY_TOO_LARGE, Kind.BODY_TIMEOUT}
        missing = [kind for kind in needed if f"`{kind.type}`" not in text]
        assert not missing, (method, path, missing)

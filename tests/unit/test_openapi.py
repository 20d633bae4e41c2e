"""The OpenAPI document is valid, and says what is served: no more and no less."""

from collections.abc import AsyncIterator
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # It comes without types.
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from orchestrator.api.access import TABLE
from orchestrator.api.application import routers, served
from orchestrator.api.problems import Kind
from orchestrator.keys import KeyRing, parse_keys
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
    assert described | NOT_DESCRIBED == served(api.app, routers(api.services))
    assert len({one["operationId"] for one in operations(api.app.openapi()).values()}) == len(described)


async def test_every_other_method_of_every_path_is_refused(api: Api) -> None:
    listed = served(api.app, routers(api.services)) | {("HEAD", "/openapi.json")}  # FastAPI's own route takes it.
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


async def test_everything_has_an_example_that_fits(api: Api) -> None:
    document = api.app.openapi()
    schemas = document["components"]["schemas"]
    for name, component in schemas.items():
        for example in component.get("examples", ()):
            jsonschema.validate(example, {**component, "components": document["components"]})
        assert name not in ("StartRequest", "BatchRequest", "Saga", "History", "Definition") or component["examples"]
    for operation in operations(document).values():
        for parameter in operation.get("parameters", ()):
            assert parameter["in"] != "path" or ("example" in parameter and parameter["description"])
        for content in [operation.get("requestBody", {}), *operation["responses"].values()]:
            for media_type, shown in content.get("content", {}).items():
                if media_type.endswith("json") and "$ref" in shown["schema"]:
                    assert schemas[shown["schema"]["$ref"].rpartition("/")[2]]["examples"], shown


async def test_a_saga_is_described_exactly_for_each_definition(api: Api) -> None:
    document = api.app.openapi()
    found = (await api.start(id="a")).json()
    exact = {"$ref": "#/components/schemas/order.v1.saga", "components": document["components"]}
    jsonschema.validate(found, exact)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(found | {"data": {"customer_id": 7}}, exact)
    mapping = document["components"]["schemas"]["StartRequest"]["discriminator"]["mapping"]
    assert mapping == {"order": "#/components/schemas/order.v1.start"}


async def test_where_there_are_keys_one_is_needed_and_elsewhere_one_may_be_sent(api: Api) -> None:
    keys = KeyRing(parse_keys(f"a:{'0' * 64}:read"))
    async with running(Api(keys=keys)) as guarded:
        for path in (("get", "/v1/sagas"), ("post", "/v1/sagas")):
            method, where = path
            needed = guarded.app.openapi()["paths"][where][method]["security"]
            assert needed == [{"key": [TABLE[method.upper(), where]]}]
            assert api.app.openapi()["paths"][where][method]["security"] == [*needed, {}]

"""Answers that can't be given whole: nothing is answered twice, and who has gone is no failure of ours."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import structlog
from starlette.types import Message

from support.api import BODY, Api, running
from support.metrics import Read


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with running(Api()) as made:
        yield made


class Broken:
    """A connection that takes an answer's head, and nothing after it."""

    def __init__(self) -> None:
        self.begun: list[int] = []

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun.append(message["status"])
        else:
            raise RuntimeError("nothing more can be sent")


def asked(method: str, path: str) -> dict[str, Any]:
    headers = [(b"content-type", b"application/json"), (b"x-request-id", b"r-1")]
    return {"type": "http", "method": method, "path": path, "query_string": b"", "headers": headers}


# The entrance finds one of the routes by itself, and FastAPI the other: so below.
@pytest.mark.parametrize(("method", "path", "status"), [("POST", "/v1/sagas", 202), ("GET", "/v1/definitions", 200)])
async def test_an_answer_that_breaks_after_its_beginning_is_not_given_twice(
    api: Api, method: str, path: str, status: int
) -> None:
    async def receive() -> Message:
        return {"type": "http.request", "body": json.dumps(BODY).encode()}

    connection = Broken()
    with structlog.testing.capture_logs() as logged:
        await api.app(asked(method, path), receive, connection)
    assert connection.begun == [status]
    assert [(line["event"], line["request_id"]) for line in logged if line["log_level"] == "error"] == [
        ("request-failed", "r-1")
    ]


@pytest.mark.parametrize("path", ["/v1/sagas", "/v1/sagas/a/retry"])
async def test_a_client_that_goes_while_its_body_is_read_is_no_failure(api: Api, path: str) -> None:
    coming: list[Message] = [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]

    async def receive() -> Message:
        return coming.pop(0)

    connection = Broken()
    with structlog.testing.capture_logs() as logged:
        await api.app(asked("POST", path), receive, connection)
    assert not connection.begun
    assert not [line for line in logged if line["log_level"] == "error"]
    requests = Read((await api.client.get("/metrics")).text).all("saga_http_requests_total")
    assert [(method, status) for method, _, status in requests] == [("POST", "499")]

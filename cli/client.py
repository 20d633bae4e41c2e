"""The service's public HTTP API, for the commands. Nothing here knows more than any other client could.

Every error leaves as a `Failure` whose message says what to do next.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Self
from urllib.parse import quote

import httpx

from cli.failure import Exit, Failure

Json = dict[str, Any]

KEY_VARIABLE = "SAGA_API_KEY"  #: where the commands find the caller's key

_TIMEOUT_S = 30.0
_PAGE = 100
_START_AT_MOST_ONCE = "Whether the saga was started is not known: start it again with the same --id or --key."

_CODES = {404: Exit.NOT_FOUND, 413: Exit.USAGE, 422: Exit.USAGE}
_ADVICE = {
    401: f"The service wants an API key: put it into {KEY_VARIABLE}.",
    403: f"The key in {KEY_VARIABLE} does not have the scope for this.",
    404: "See what is there: saga ls",
    503: "The service is too busy, or can't reach a database. Look at its log, and try again.",
}


class SagaClient:
    """One service. Use it in a `with`."""

    def __init__(self, url: str, key: str | None = None) -> None:
        self.url = url.rstrip("/")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        # No proxies from the environment: the service is on this machine or in this network.
        self._http = httpx.Client(base_url=self.url, timeout=_TIMEOUT_S, trust_env=False, headers=headers)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def start(
        self, saga: str, data: Json, *, saga_id: str | None = None, key: str | None = None, wait_s: float | None = None
    ) -> Json:
        """Start a saga; with `wait_s` the answer comes when it has ended, or that much later."""
        body: Json = {"saga": saga, "data": data} | ({"id": saga_id} if saga_id else {})
        headers = {"Idempotency-Key": key} if key else {}
        if wait_s:
            headers["Prefer"] = f"wait={wait_s:.3f}".rstrip("0").rstrip(".")
        answer = self._call("POST", "/v1/sagas", json=body, headers=headers, timeout=_TIMEOUT_S + (wait_s or 0))
        return self._object(answer)

    def get(self, saga_id: str) -> Json:
        """One saga."""
        return self._object(self._call("GET", f"/v1/sagas/{quote(saga_id, safe='')}"))

    def find(
        self, *, saga: str | None = None, status: str | None = None, since: datetime | None = None, limit: int = 20
    ) -> list[Json]:
        """At most `limit` sagas, newest first."""
        asked = {"saga": saga, "status": status, "since": since.isoformat() if since else None}
        parameters = {name: value for name, value in asked.items() if value}
        items: list[Json] = []
        cursor: str | None = None
        while True:
            page = {"limit": str(min(limit - len(items), _PAGE))} | ({"cursor": cursor} if cursor else {})
            answer = self._object(self._call("GET", "/v1/sagas", params=parameters | page))
            items += answer["items"]
            cursor = answer["next"]
            if not cursor or len(items) >= limit:
                return items

    def is_ready(self) -> bool:
        """Whether the service and everything it needs is up."""
        try:
            return self._http.get("/readyz", timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

    def _call(self, method: str, path: str, **options: Any) -> httpx.Response:
        with self._explaining(lost=_START_AT_MOST_ONCE if method == "POST" else "Try again."):
            answer = self._http.request(method, path, **options)
        if answer.is_success:
            return answer
        raise Failure(_words(answer), _CODES.get(answer.status_code, Exit.OTHER))

    @contextmanager
    def _explaining(self, lost: str) -> Iterator[None]:
        try:
            yield
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise Failure(
                f"No service answers at {self.url}. Start one with `saga up`, or name another with --url or SAGA_URL."
            ) from error
        except httpx.TimeoutException as error:
            raise Failure(f"The service at {self.url} did not answer in time. {lost}", Exit.TIMEOUT) from error
        except httpx.HTTPError as error:
            raise Failure(f"The connection to {self.url} broke off ({type(error).__name__}). {lost}") from error
        except httpx.InvalidURL as error:
            raise Failure(f"{self.url!r} is not a URL: {error}", Exit.USAGE) from error

    def _object(self, answer: httpx.Response) -> Json:
        try:
            found = answer.json()
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise Failure(
                f"What answers at {self.url} is not a saga service. Name the right one with --url or SAGA_URL."
            )
        return found


def _words(answer: httpx.Response) -> str:
    """A problem (RFC 9457) as one sentence, and what to do about it."""
    try:
        problem = answer.json()
        words = problem.get("detail") or problem.get("title") or ""
    except (ValueError, AttributeError):
        words = answer.text[:200]
    words = words or f"The service answered {answer.status_code} {answer.reason_phrase}"
    return "\n".join([words, *_errors(answer), *filter(None, [_ADVICE.get(answer.status_code)])])


def _errors(answer: httpx.Response) -> list[str]:
    """The single faults of the data that was sent, where the service names them."""
    try:
        errors = answer.json().get("errors") or []
        return [f"  {error.get('pointer', '')}: {error.get('detail', '')}" for error in errors]
    except (ValueError, AttributeError, TypeError):
        return []

"""The door: who may call which route. What is not in the table below is not served.

Only `/livez` and `/readyz` are open. Where there are API keys every other request needs one, also for paths that don't
exist; where there are none everything is open, and the settings let HTTP listen on loopback only.
"""

import re
from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.routing import compile_path
from starlette.types import Scope

from adapters.clock import Clock
from orchestrator.api.auditing import Auditor, Deed
from orchestrator.api.caller import Asked
from orchestrator.api.headers import Fields
from orchestrator.api.problems import Kind, Problem
from orchestrator.api.throttle import Throttle
from orchestrator.keys import Access, ApiKey, KeyRing

MAX_TOKEN_LENGTH = 512

#: what each route takes; None: open
TABLE: Mapping[tuple[str, str], Access | None] = {
    ("GET", "/livez"): None,
    ("GET", "/readyz"): None,
    ("GET", "/metrics"): Access.READ,
    ("GET", "/openapi.json"): Access.READ,
    ("GET", "/asyncapi.json"): Access.READ,
    ("GET", "/asyncapi"): Access.READ,
    ("GET", "/docs"): Access.READ,
    ("GET", "/docs/{name}"): Access.READ,
    ("GET", "/problems"): Access.READ,
    ("GET", "/problems/{name}"): Access.READ,
    ("POST", "/v1/sagas"): Access.START,
    ("POST", "/v1/sagas:batch"): Access.START,
    ("GET", "/v1/sagas"): Access.READ,
    ("GET", "/v1/sagas/events"): Access.READ,
    ("GET", "/v1/sagas/{saga_id}"): Access.READ,
    ("GET", "/v1/sagas/{saga_id}/history"): Access.READ,
    ("GET", "/v1/sagas/{saga_id}/events"): Access.READ,
    ("POST", "/v1/sagas/{saga_id}/cancel"): Access.OPERATE,
    ("POST", "/v1/sagas/{saga_id}/retry"): Access.OPERATE,
    ("POST", "/v1/sagas/{saga_id}/skip"): Access.OPERATE,
    ("POST", "/v1/sagas/{saga_id}/abort"): Access.OPERATE,
    ("GET", "/v1/definitions"): Access.READ,
    ("GET", "/v1/definitions/{name}"): Access.READ,
    ("GET", "/v1/dead-letters"): Access.READ,
    ("GET", "/v1/dead-letters/{letter_id}"): Access.READ,
    ("POST", "/v1/dead-letters/{letter_id}/redrive"): Access.OPERATE,
    ("DELETE", "/v1/dead-letters/{letter_id}"): Access.OPERATE,
}
_PATTERNS = [(method, compile_path(path)[0], access) for (method, path), access in TABLE.items()]
_OWN_PAGES = frozenset({"same-origin", "none"})
_BEARER = re.compile(r"bearer +([A-Za-z0-9._~+/-]+=*)", re.IGNORECASE)
_HOW = 'Bearer realm="saga"'


class Door:
    """Lets in who may ask this."""

    def __init__(self, keys: KeyRing, auditor: Auditor, throttle: Throttle, clock: Clock) -> None:
        self._keys = keys
        self._clock = clock
        self._auditor = auditor
        self._throttle = throttle

    async def check(self, scope: Scope, asked: Asked) -> None:
        """Raises `Problem` where the request may not come in; else it is known who asks."""
        exists, needed = _route(scope)
        if exists and needed is None:
            return
        self._throttle.total(asked)
        refused = _of_another_site(scope, asked.fields, guarded=self._keys.required)
        if refused is None and self._keys.required:
            refused = self._refused(asked, needed)
        self._throttle.key(asked)
        if refused is not None:
            action = "authenticate" if refused.kind is Kind.UNAUTHENTICATED else "authorize"
            request = Request(scope)
            await self._auditor.turned_away(request, Deed(action, path=request.url.path[:200]), refused)
            raise refused

    def _refused(self, asked: Asked, needed: Access | None) -> Problem | None:
        key = self._key(asked.fields)
        if isinstance(key, Problem):
            return key
        asked.caller = key.name
        return _scope_missing(needed) if needed is not None and needed not in key.scopes else None

    def _key(self, fields: Fields) -> ApiKey | Problem:
        given = fields.getlist("authorization")
        if not given:
            return _unauthenticated("Send the header Authorization: Bearer, with an API key.", _HOW)
        bearer = _BEARER.fullmatch(given[0].strip()) if len(given) == 1 else None
        key = self._keys.find(bearer[1]) if bearer and len(bearer[1]) <= MAX_TOKEN_LENGTH else None
        if key is None or key.has_expired(self._clock.now()):
            said = "The API key is not known." if key is None else "The API key has expired."
            return _unauthenticated(said, f'{_HOW}, error="invalid_token"')
        return key


def check_table(routes: Iterable[tuple[str, str]]) -> None:
    """Raises where a route is in no line of the table: nobody has said who may call it."""
    missing = sorted(set(routes) - TABLE.keys())
    if missing:
        raise LookupError(f"the table of scopes in {__name__} says nothing of {missing}")


def allowed(scope: Scope) -> list[str]:
    """The methods that this path takes."""
    path = path_of(scope)
    return sorted({method for method, pattern, _ in _PATTERNS if pattern.match(path)})


def path_of(scope: Scope) -> str:
    """The path below the application's own, as the router has it."""
    root, path = scope.get("root_path", ""), str(scope["path"])
    return path.removeprefix(root) if path.startswith(f"{root}/") else path


def _route(scope: Scope) -> tuple[bool, Access | None]:
    """Whether there is such a route, and what it takes."""
    method = "GET" if scope["method"] == "HEAD" else scope["method"]
    path = path_of(scope)
    if (method, path) in TABLE:
        return True, TABLE[method, path]
    for allowed, pattern, access in _PATTERNS:
        if allowed == method and pattern.match(path):
            return True, access
    return False, None


def _of_another_site(scope: Scope, fields: Fields, *, guarded: bool) -> Problem | None:
    """A page of another site may make a browser send requests here, from inside the network: it must change nothing.

    Where its name leads to this machine by now (DNS rebinding), the browser takes us for that site, and tells its
    origin only. So without keys, when HTTP is for this machine alone, a page must be of this machine.
    """
    if scope["method"] in ("GET", "HEAD"):
        return None
    origin, site = fields.get("origin"), fields.get("sec-fetch-site", "none")
    if site in _OWN_PAGES and (guarded or not origin or _of_this_machine(origin)):
        return None
    return Problem(Kind.CROSS_SITE, "A browser sent this for a page of another site.")


def _of_this_machine(origin: str) -> bool:
    try:
        host = urlsplit(origin).hostname or ""
        return host == "localhost" or host.endswith(".localhost") or ip_address(host).is_loopback
    except ValueError:  # "null" of a sandboxed page, say.
        return False


def _unauthenticated(said: str, how: str) -> Problem:
    return Problem(Kind.UNAUTHENTICATED, said, headers={"WWW-Authenticate": how})


def _scope_missing(needed: Access) -> Problem:
    how = f'{_HOW}, error="insufficient_scope", scope="{needed}"'
    said = f"The API key lacks the scope {needed}."
    return Problem(Kind.SCOPE_MISSING, said, headers={"WWW-Authenticate": how}, extra={"needed": needed.value})

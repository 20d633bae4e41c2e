"""Judgements about this machine and environment, and about the service that answers. Pure: facts in, checks out."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from adapters.facts import Fact, Unknown
from cli.doctor.check import Check, failed, listed, ok, unknown, warning
from cli.doctor.here import DataFacts, Here
from orchestrator.keys import guessable

EXPIRES_SOON = timedelta(days=14)
LITTLE_ROOM = 1 << 30  #: bytes; MongoDB's journal alone takes 300 MB


#: Names and versions of the definitions that the service knows.
Served = frozenset[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class ServiceFacts:
    """The service over HTTP: what `/readyz?verbose` says, and how it takes our key. No `url`: none is known."""

    url: str | None
    ready: Fact[tuple[int, Mapping[str, Any]]]
    read: Fact[int]  #: the status of an ordinary read
    knows: Fact[Served]


def judge_here(here: Here, service: ServiceFacts, now: datetime) -> list[Check]:
    """Everything that is wrong already before a server is asked, and the service."""
    return [
        _settings(here),
        _variables(here),
        _definitions(here),
        _keys(here, now),
        _directory(here.data),
        _port(here, service),
        ok("versions", ", ".join(f"{name} {version}" for name, version in here.versions.items())),
        _ready(service),
        _access(service),
    ]


def _settings(here: Here) -> Check:
    if here.problems:
        return failed("settings", "; ".join(here.problems), "Correct them: docs/settings.md lists all.")
    return ok("settings", "valid")


def _variables(here: Here) -> Check:
    name = "environment"
    if here.strange:
        return warning(name, f"nobody reads {listed(list(here.strange))}", "Correct the spelling, or unset them.")
    return ok(name, "every variable SAGA_… is one that is read")


def _definitions(here: Here) -> Check:
    name = "definitions"
    if isinstance(here.definitions, Unknown):
        return failed(name, here.definitions.reason, "Correct the module, or SAGA_DEFINITIONS.")
    return ok(name, listed([f"{saga.name} version {saga.version}" for saga in here.definitions]))


def _keys(here: Here, now: datetime) -> Check:
    name, another = "api-keys", "Make another: `saga key new NAME --scopes …`."
    if weak := guessable(here.keys):
        return failed(name, f"anybody can guess the keys of {listed(weak)}", another)
    if old := [key.name for key in here.keys if key.has_expired(now)]:
        return warning(name, f"expired: {listed(old)}", another)
    if soon := [key.name for key in here.keys if key.has_expired(now + EXPIRES_SOON)]:
        return warning(name, f"expire within {EXPIRES_SOON.days} days: {listed(soon)}", another)
    if here.client_key_known is False:
        return warning(name, "SAGA_API_KEY is none of the keys in SAGA_API_KEYS", "Correct one or the other.")
    if not here.keys:
        return ok(name, f"none: whoever reaches {here.settings.http_host} may do everything")
    return ok(name, "none that can be guessed, or expires soon")


def _directory(data: DataFacts) -> Check:
    name = "data-directory"
    if not data.writable:
        return failed(name, f"can't write to {data.path}", "Change its permissions, or set SAGA_DATA_DIR.")
    if data.free_bytes < LITTLE_ROOM:
        said = f"{data.free_bytes / 2**20:.0f} MiB left for {data.path}"
        return warning(name, said, "Make room, or set SAGA_DATA_DIR: a database that can't write stops everything.")
    if data.service is not None and not data.service_alive:
        said = f"{data.path} tells of a service (pid {data.service['pid']}) that was killed"
        return warning(name, said, "Start `saga up` again: it goes on where that one ended.")
    return ok(name, data.path)


def _port(here: Here, service: ServiceFacts) -> Check:
    name, settings = "port", here.settings
    where = f"{settings.http_host}:{settings.http_port}"
    if here.data.port_free:
        return ok(name, f"{where} is free")
    if service.url is not None and service.url.endswith(f":{settings.http_port}"):
        return ok(name, f"{where} is the service's")
    return warning(name, f"{where} is taken by another program", "Choose another with SAGA_HTTP_PORT or `--port`.")


def _ready(service: ServiceFacts) -> Check:
    name = "service"
    if service.url is None:
        return unknown(name, "none is known here", "Start `saga up`, or name one with --url or SAGA_URL.")
    if isinstance(service.ready, Unknown):
        said = f"nothing answers at {service.url}: {service.ready.reason}"
        return failed(name, said, "Start it (`saga up`, `saga serve`), or correct SAGA_URL.")
    status, body = service.ready
    if status == 200:
        return ok(name, f"{service.url} is ready")
    said = body.get("detail") or f"{service.url}/readyz answers {status}"
    return failed(name, f"{service.url} is not ready: {said}", "The other checks and its log say why.")


def _access(service: ServiceFacts) -> Check:
    name = "access"
    if isinstance(service.read, Unknown):
        return unknown(name, service.read.reason)
    if service.read in (401, 403):
        remedy = "Put a key with the scope `read` into SAGA_API_KEY; `saga key new` makes one."
        return warning(name, f"the service answers {service.read} to a read", remedy)
    if service.read != 200:
        return warning(name, f"the service answers {service.read} to a read", "Its log says why.")
    return ok(name, "the service lets us read")

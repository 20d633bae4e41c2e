"""What the shell offers after Tab: definitions and sagas of the service that runs here.

Nobody waits for a completion: whatever goes wrong, or takes longer than a moment, offers nothing.
"""

import os
from collections.abc import Callable, Iterable
from contextlib import suppress

from cli.data_directory import service_url
from cli.failure import Failure
from cli.service import given_key
from client import Retries, SagaError, SyncSagaClient

_WITHIN_S = 1.0
_MOST = 20

Offer = Iterable[tuple[str, str]]  #: what can be typed, and what it is


def saga_names(incomplete: str) -> list[tuple[str, str]]:
    """Definitions."""
    return _offered(
        lambda client: (
            (one.name, f"version {one.version}") for one in client.definitions() if one.name.startswith(incomplete)
        )
    )


def saga_ids(incomplete: str) -> list[tuple[str, str]]:
    """The newest sagas."""
    return _offered(
        lambda client: ((one.id, f"{one.saga} {one.status}") for one in client.find(q=incomplete or None, limit=_MOST))
    )


def letter_ids(incomplete: str) -> list[tuple[str, str]]:
    """The newest dead letters."""
    return _offered(
        lambda client: (
            (one.id, one.stream) for one in client.dead_letters(limit=_MOST) if one.id.startswith(incomplete)
        )
    )


def _offered(ask: Callable[[SyncSagaClient], Offer]) -> list[tuple[str, str]]:
    with suppress(SagaError, Failure, ValueError):
        url = service_url(os.environ.get("SAGA_URL"))
        key, once = given_key(), Retries(attempts=1)
        with SyncSagaClient(url, key=key, timeout_s=_WITHIN_S, retries=once) as client:
            return list(dict(ask(client)).items())
    return []

"""What the shell offers after Tab: definitions and sagas of the service that runs here.

Nobody waits for a completion: whatever goes wrong, or takes longer than a moment, offers nothing.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress

from cli.data_directory import service_url
from cli.failure import Failure
from cli.service import given_key
from client import Retries, SagaClient, SagaError

_WITHIN_S = 1.0
_MOST = 20

Offer = list[tuple[str, str]]  #: what can be typed, and what it is


def saga_names(incomplete: str) -> Offer:
    """Definitions."""

    async def ask(client: SagaClient) -> Offer:
        known = await client.definitions()
        return [(one.name, f"version {one.version}") for one in known if one.name.startswith(incomplete)]

    return _offered(ask)


def saga_ids(incomplete: str) -> Offer:
    """The newest sagas."""

    async def ask(client: SagaClient) -> Offer:
        return [(one.id, f"{one.saga} {one.status}") async for one in client.find(q=incomplete or None, limit=_MOST)]

    return _offered(ask)


def letter_ids(incomplete: str) -> Offer:
    """The newest dead letters."""

    async def ask(client: SagaClient) -> Offer:
        newest = client.dead_letters(limit=_MOST)
        return [(one.id, one.stream) async for one in newest if one.id.startswith(incomplete)]

    return _offered(ask)


def _offered(ask: Callable[[SagaClient], Awaitable[Offer]]) -> Offer:
    with suppress(SagaError, Failure, ValueError, TimeoutError):
        return list(dict(asyncio.run(_asked(ask))).items())
    return []


async def _asked(ask: Callable[[SagaClient], Awaitable[Offer]]) -> Offer:
    url = service_url(os.environ.get("SAGA_URL"))
    async with asyncio.timeout(_WITHIN_S), SagaClient(url, key=given_key(), retries=Retries(attempts=1)) as client:
        return await ask(client)

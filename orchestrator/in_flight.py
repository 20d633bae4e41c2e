"""Whether the definitions here fit the sagas in flight: checked before the first message.

A definition that was changed under the same version would send the wrong commands; a version that is not known here is
only reported, because another process may know it.
"""

import structlog

from orchestrator.store import InFlight, SagaStore
from sagas import Definitions

log = structlog.get_logger(__name__)

#: What is to be done about sagas that nobody here can go on with.
LOAD_IT = "they wait until a process has the definition that they began with: load it beside newer ones"


class ChangedDefinition(Exception):
    """A definition was changed while sagas of it are in flight: give the changed one a new version."""


async def check_in_flight(store: SagaStore, definitions: Definitions) -> None:
    """Raises `ChangedDefinition`, or `Unavailable` while the store is away."""
    found = await store.in_flight()
    for one in found:
        if is_unknown(one, definitions):
            log.error("definition-unknown", saga=one.saga, version=one.version, sagas=one.count, reason=LOAD_IT)
    changed = [one for one in found if is_changed(one, definitions)]
    if changed:
        raise ChangedDefinition("\n".join(said(one) for one in changed))


def is_unknown(one: InFlight, definitions: Definitions) -> bool:
    """Whether nobody here can go on with these sagas."""
    return definitions.get(one.saga, one.version) is None


def is_changed(one: InFlight, definitions: Definitions) -> bool:
    """Whether these sagas began with another definition of the same version."""
    saga = definitions.get(one.saga, one.version)
    return saga is not None and saga.fingerprint != one.fingerprint


def said(one: InFlight) -> str:
    """What is wrong with changed ones, and what to do."""
    sagas = "1 saga" if one.count == 1 else f"{one.count} sagas"
    return (
        f"The saga {one.saga!r} version {one.version} is not the one with which {sagas} in flight began. "
        f"Put it back as it was, its input, data and messages too, and give the changed one version={one.version + 1} "
        "beside it, with classes of its own for what differs, and name= for endpoints whose messages do."
    )

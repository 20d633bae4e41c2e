"""The environment variables that somebody here reads; those that look like it, and nobody does."""

from collections.abc import Mapping

from adapters.process import PLANNED_FAULTS
from orchestrator.settings import Settings
from participants.settings import ParticipantSettings

#: What only the commands read that call a running service.
CLIENTS = {
    "SAGA_URL": "Where the service is; else what `.saga/` says of the one that runs here.",
    "SAGA_API_KEY": "The key to call it with.",
    "SAGA_API_KEY_FILE": "A file with the key, where that is not set itself.",
    "NO_COLOR": "Set to anything: no colours.",
}
#: What only those read that start servers: `saga up`, `saga servers`, failure runs and tests.
SERVERS = {
    "SAGA_MONGOD": "The program to start; else that of the `embedded` extra, else `mongod` of the PATH.",
    "SAGA_REDIS_SERVER": "Likewise; else `redis-server` or `valkey-server` of the PATH.",
}
_OTHERS = {*CLIENTS, *SERVERS, PLANNED_FAULTS}  #: those that no settings class has
_FOR_TESTS = ("SAGA_TEST_", "SAGA_SOAK")


def unread(environ: Mapping[str, str]) -> list[str]:
    """The variables SAGA_… that nobody reads: misspelled, most likely."""
    known = {f"SAGA_{name.upper()}" for one in (Settings, ParticipantSettings) for name in one.model_fields} | _OTHERS
    return [
        name
        for name in sorted(environ)
        if name.startswith("SAGA_") and name not in known and not name.startswith(_FOR_TESTS)
    ]


def remarks(environ: Mapping[str, str]) -> list[str]:
    """What to say about them when a service starts."""
    return [
        f"Nobody here reads {name}. Is it misspelled? docs/settings.md has all of them." for name in unread(environ)
    ]

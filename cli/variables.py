"""The environment variables that somebody here reads; those that look like it, and nobody does."""

from collections.abc import Mapping

from adapters.process import PLANNED_FAULTS
from orchestrator.settings import Settings
from participants.settings import ParticipantSettings

#: Variables that no settings class has: of the command line's clients, the servers' launcher, and failure runs.
_OTHERS = {"SAGA_URL", "SAGA_API_KEY", "SAGA_API_KEY_FILE", "SAGA_MONGOD", "SAGA_REDIS_SERVER", PLANNED_FAULTS}
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

"""`saga secrets` and `saga init`, with the settings of the environment."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from cli.databases import participant_settings
from cli.deployment.files import PREVIOUS, Installation, write
from cli.deployment.init import Wanted, set_up_everything
from cli.deployment.passwords import Passwords
from cli.expected import explaining
from cli.lookup import find_participant
from cli.seeding import seed_what_is_missing
from cli.terminal import note
from orchestrator.settings import Settings
from participants.app import SHIPPED
from participants.participant import Participant
from sagas import Definitions


@explaining
def run_secrets(directory: Path, mongo: str, redis: str, participants: Sequence[str] | None, new: bool) -> None:
    """Write the files. Raises `Failure`."""
    settings = Settings.load(mongo_url=f"mongodb://{mongo}", redis_url=f"redis://{redis}")
    where = Installation(
        mongo=mongo,
        redis=redis,
        database_prefix=settings.database_prefix,
        stream_prefix=settings.stream_prefix,
        participants=[one.name for one in _found(participants)],
        foreign=[*Definitions.load(settings.definitions).starting_on],
    )
    written = write(directory, where, new=new)
    note(f"Written: {', '.join(written)}." if written else "Everything is as it should be.")


@explaining
def run_init(
    secrets: Path | None, member: str | None, participants: Sequence[str] | None, seed: bool, within_s: float
) -> None:
    """Set both databases up. Raises `Failure`."""
    of_participants = participant_settings()
    wanted = Wanted(
        settings=Settings.load(),
        of_participants=of_participants,
        participants=_found(participants),
        passwords=None if secrets is None else Passwords.read(secrets),
        previous=[] if secrets is None else _previous(secrets),
        member=member,
        within_s=within_s,
    )
    asyncio.run(set_up_everything(wanted, note))
    if seed:
        asyncio.run(seed_what_is_missing(of_participants))
        note("The products and customers of the examples are there.")


def _previous(secrets: Path) -> list[Passwords]:
    """Those of before each `saga secrets --new`, the newest first."""
    file = secrets.with_name(PREVIOUS)
    return Passwords.read_all(file)[::-1] if file.exists() else []


def _found(names: Sequence[str] | None) -> list[Participant]:
    return [*SHIPPED.values()] if not names else [find_participant(name) for name in names]

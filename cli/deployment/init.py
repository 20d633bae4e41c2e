"""What `saga init` does: everything that services need in MongoDB and Redis, and may not make themselves."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from adapters.clock import SystemClock
from adapters.errors import Unavailable
from adapters.mongo import IndexModel, Mongo, ensure_indexes
from adapters.mongo_setup import (
    ADMIN,
    Rights,
    check_administrator,
    make_administrator,
    make_collections,
    set_up_replica_set,
    set_up_user,
)
from adapters.streams.setup import set_up
from adapters.urls import direct_urls, hosts_of
from cli.deployment.passwords import Passwords
from orchestrator import rights as orchestrator_rights
from orchestrator.settings import Settings
from participants import rights as participants_rights
from participants.participant import Participant
from participants.settings import ParticipantSettings

_PAUSE_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What there is to be."""

    settings: Settings
    of_participants: ParticipantSettings
    participants: Sequence[Participant]
    passwords: Passwords | None  #: without, no users are made
    previous: Sequence[Passwords]  #: of before: MongoDB's administrator may have the password of one of them still
    member: str | None  #: the address by which MongoDB is found; None: as its URL says
    within_s: float

    @property
    def services(self) -> Mapping[str, tuple[Rights, Mapping[str, Sequence[IndexModel]]]]:
        """By name: what it may do in its database, and the indexes there."""
        settings, theirs = self.settings, self.of_participants
        found = {"orchestrator": (orchestrator_rights.rights(settings), orchestrator_rights.indexes(settings))}
        return found | {
            one.name: (participants_rights.rights(one, theirs), participants_rights.indexes(one, theirs))
            for one in self.participants
        }


async def set_up_everything(wanted: Wanted, say: Callable[[str], None]) -> None:
    """Make what is missing. A server that is away, or just starting, is waited for. Raises `Unavailable`."""
    clock = SystemClock()
    end = clock.now() + timedelta(seconds=wanted.within_s)
    for step in (_replica_set, _databases, _streams):
        told = False
        while True:
            try:
                say(await step(wanted))
                break
            except Unavailable as error:
                if clock.now() > end:
                    raise
                if not told:
                    say(f"{error}. Trying again.")
                told = True
            await clock.sleep(_PAUSE_S)


async def _replica_set(wanted: Wanted) -> str:
    """Nothing is done where the URL is `mongodb+srv://`: others look after that set."""
    url = wanted.settings.mongo_url
    await set_up_replica_set(direct_urls(url, anonymous=True), wanted.member or hosts_of(url)[0])
    return "MongoDB is ready."


async def _databases(wanted: Wanted) -> str:
    mongo = Mongo.connect(wanted.settings.mongo_url, driver="pymongo", app_name="saga-init")
    try:
        if wanted.passwords is not None:
            await _administrator(mongo, wanted, wanted.passwords)
        for name, (rights, indexes) in wanted.services.items():
            await _database(mongo, wanted, name, rights, indexes)
    finally:
        await mongo.close()
    return f"Collections and indexes{'' if wanted.passwords is None else ', users and their rights'} are there."


async def _database(
    mongo: Mongo, wanted: Wanted, name: str, rights: Rights, indexes: Mapping[str, Sequence[IndexModel]]
) -> None:
    database = f"{wanted.settings.database_prefix}{name}"
    await make_collections(mongo, database, [*rights])
    for collection, wished in indexes.items():
        await ensure_indexes(mongo.database(database)[collection], wished)
    if wanted.passwords is not None:
        await set_up_user(mongo, database, name, wanted.passwords.of_mongo(name), rights)


async def _streams(wanted: Wanted) -> str:
    names, settings = [one.name for one in wanted.participants], wanted.settings
    made = await set_up(settings.redis_url, settings.streams, names, users=wanted.passwords is not None)
    return f"Redis has a new group on {', '.join(made)}." if made else "Redis has its groups."


async def _administrator(mongo: Mongo, wanted: Wanted, passwords: Passwords) -> None:
    """Known by the password of now, whether there was one before or not."""
    url = wanted.settings.mongo_url
    password = passwords.of_mongo(ADMIN)
    previous = [earlier.of_mongo(ADMIN) for earlier in wanted.previous]
    try:
        await check_administrator(mongo)
    except Unavailable:
        await make_administrator(direct_urls(url, anonymous=True), password, previous)
        await check_administrator(mongo)

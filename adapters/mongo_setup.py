"""Sets a MongoDB up: the replica set, its first user, roles and users. For `saga init`, never for a service.

Everything may be done again: what is there already is made what it should be.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from enum import Enum, auto
from functools import partial
from typing import Any

from adapters.errors import Unavailable
from adapters.mongo import Mongo, translating

#: Actions by collection. MongoDB keeps a role of one database to that database.
Rights = Mapping[str, Sequence[str]]

EVERY_COLLECTION = ""
REPLICA_SET = "rs0"
ROLE = "service"
ADMIN = "admin"
_QUICK = {"electionTimeoutMillis": 2_000, "heartbeatIntervalMillis": 500}


class State(Enum):
    """Of a server, in respect of its replica set."""

    ALONE = auto()  #: it is in none
    WAITING = auto()  #: nobody is primary
    READY = auto()  #: somebody is; or it is a mongos, and the sets behind it are others' business


def state_of(hello: Mapping[str, Any]) -> State:
    """By what it answers to `hello`."""
    if hello.get("msg") == "isdbgrid":
        return State.READY
    if "setName" not in hello:
        return State.ALONE
    return State.READY if hello["isWritablePrimary"] or "primary" in hello else State.WAITING


async def set_up_replica_set(urls: Sequence[str], member: str) -> None:
    """See that the servers, by a URL each, are a replica set. Raises `Unavailable`, also while there is no primary.

    A single one that is in no set becomes a set of one; `member` is the address by which clients, and the server
    itself, find it. That needs no password, but has to come from the server's own machine where it asks for one: before
    there is a user, MongoDB lets only that in. Of several none is made a set: it would be one without the others.
    """
    await _at_one(urls, partial(_see_to_the_set, member=member if len(urls) == 1 else None))


async def _see_to_the_set(url: str, member: str | None) -> None:
    mongo = Mongo.connect(url, driver="pymongo", app_name="saga-init")
    admin = mongo.database(ADMIN)
    try:
        with translating():
            state = state_of(await admin.command("hello"))
            if state is State.ALONE and member is not None:
                members = [{"_id": 0, "host": member}]
                await admin.command("replSetInitiate", {"_id": REPLICA_SET, "members": members, "settings": _QUICK})
                state = state_of(await admin.command("hello"))
    finally:
        await mongo.close()
    if state is State.ALONE:
        raise Unavailable("MongoDB is in no replica set yet. Make one of all: rs.initiate({…}) in mongosh")
    if state is State.WAITING:
        raise Unavailable("MongoDB has no primary")


async def _at_one(urls: Sequence[str], attempt: Callable[[str], Awaitable[None]]) -> None:
    """The attempt at one after the other, until it succeeds. Raises what the last one raised."""
    for number, url in enumerate(urls, start=1):
        try:
            return await attempt(url)
        except Unavailable:
            if number == len(urls):
                raise
    return None


async def check_administrator(mongo: Mongo) -> None:
    """Raises `Unavailable` where the client's user is not known, or may not do what is to be done here."""
    with translating():
        await mongo.database(ADMIN).command("usersInfo", 1)


async def make_administrator(urls: Sequence[str], password: str, previous: Sequence[str]) -> None:
    """Give the administrator this password: the one known by one of the previous ones, else the very first user.

    The first one can be made from the server's own machine only, like the replica set. `urls` name a server each, and
    no user; the primary is among them. Raises `Unavailable`, also where there is another user already.
    """
    await _at_one(urls, partial(_make_administrator, password=password, previous=previous))


async def _make_administrator(url: str, password: str, previous: Sequence[str]) -> None:
    for earlier in previous:
        known = url.replace("mongodb://", f"mongodb://{ADMIN}:{earlier}@", 1)
        with suppress(Unavailable):
            return await _command(f"{known}&authSource={ADMIN}", "updateUser", pwd=password)
    return await _command(url, "createUser", pwd=password, roles=["root"])


async def _command(url: str, verb: str, **options: object) -> None:
    mongo = Mongo.connect(url, driver="pymongo", app_name="saga-init")
    try:
        with translating():
            await mongo.database(ADMIN).command(verb, ADMIN, **options)
    finally:
        await mongo.close()


async def set_up_user(mongo: Mongo, database: str, name: str, password: str, rights: Rights) -> None:
    """A user of the database with exactly these rights in it, and none anywhere else. Raises `Unavailable`."""
    db = mongo.database(database)
    privileges = [
        {"resource": {"db": database, "collection": collection}, "actions": sorted(set(actions))}
        for collection, actions in rights.items()
    ]
    with translating():
        known = await db.command("rolesInfo", ROLE)
        verb = "updateRole" if known["roles"] else "createRole"
        await db.command(verb, ROLE, privileges=privileges, roles=[])
        known = await db.command("usersInfo", name)
        verb = "updateUser" if known["users"] else "createUser"
        await db.command(verb, name, pwd=password, roles=[ROLE])


async def make_collections(mongo: Mongo, database: str, names: Sequence[str]) -> None:
    """Those that are missing. Raises `Unavailable`."""
    db: Any = mongo.database(database)
    with translating():
        there = set(await db.list_collection_names())
        for name in names:
            if name != EVERY_COLLECTION and name not in there:
                await db.create_collection(name)

"""The files of `saga secrets`: a directory for each service, with what that one needs and nothing of the others'.

Writing them again changes what has to change: a file that says the right thing is left alone, and so are API keys that
somebody has added.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from adapters.mongo_setup import ADMIN, REPLICA_SET
from adapters.streams.names import Streams
from adapters.streams.rights import of_admin, of_orchestrator, of_participant, of_probe
from cli.deployment.passwords import Passwords
from cli.failure import Failure
from orchestrator.keys import Access, InvalidKeys, api_key, parse_keys

MASTER, PREVIOUS = "master", "previous"
INIT, MONGO, REDIS = "init", "mongo", "redis"
ORCHESTRATOR, OPERATOR, PROMETHEUS = "orchestrator", "operator", "prometheus"
PROBE = "probe"  #: a Redis user who needs no password, and may only ask whether Redis is there
API_KEYS: Mapping[str, Sequence[Access]] = {OPERATOR: [*Access], PROMETHEUS: [Access.READ]}

_EARLIER = 50  #: so many secrets of before are kept
_FOR_OWNER = 0o400
#: Servers are users of their own, and of the owner's group; to the keys somebody may add one.
_OTHER_MODES = {
    f"{MONGO}/keyfile": 0o440,
    f"{REDIS}/users.acl": 0o440,
    f"{PROMETHEUS}/api_key": 0o440,
    f"{ORCHESTRATOR}/api_keys": 0o600,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """Where the servers are, and who works there."""

    mongo: str  #: host:port
    redis: str
    database_prefix: str
    stream_prefix: str
    participants: Sequence[str]
    foreign: Sequence[str] = ()  #: streams of others whose events start sagas

    def mongo_url(self, name: str, password: str) -> str:
        """A service's: it is a user of its own database."""
        return f"mongodb://{name}:{password}@{self.mongo}/{self.database_prefix}{name}?replicaSet={REPLICA_SET}"

    def mongo_admin_url(self, password: str) -> str:
        """Of whoever sets MongoDB up, on its own machine: before there is a user, only that one is let in."""
        port = self.mongo.rpartition(":")[2]
        return f"mongodb://{ADMIN}:{password}@127.0.0.1:{port}/?directConnection=true&authSource={ADMIN}"

    def redis_url(self, name: str, password: str) -> str:
        """A service's."""
        return f"redis://{name}:{password}@{self.redis}/0"


def write(directory: Path, where: Installation, *, new: bool = False) -> list[str]:
    """Write what is missing or another by now; the names of these files. Raises `Failure`.

    `new`: from a new secret. Those of before are kept beside it, one a line: until `saga init` has run, MongoDB's
    administrator has the password of one of them, and maybe not of the last.
    """
    try:
        master = directory / INIT / MASTER
        contents = {f"{INIT}/{PREVIOUS}": _earlier(master)} if new and master.exists() else {}
        passwords = Passwords.read(master) if master.exists() and not new else Passwords.new()
        contents |= {**contents_of(where, passwords), f"{INIT}/{MASTER}": f"{passwords.secret.hex()}\n"}
        keys = directory / ORCHESTRATOR / "api_keys"
        contents[f"{ORCHESTRATOR}/api_keys"] = _keys(keys, passwords)
        return [name for name, text in contents.items() if _write(directory, name, text)]
    except OSError as error:
        raise Failure(f"{error.filename or directory} can't be written: {error.strerror}") from error


def contents_of(where: Installation, passwords: Passwords) -> dict[str, str]:
    """By path: what is in the file."""
    services = [ORCHESTRATOR, *where.participants]
    admin = passwords.of_redis(ADMIN)
    found = {
        f"{INIT}/mongo_url": where.mongo_admin_url(passwords.of_mongo(ADMIN)),
        f"{INIT}/redis_url": where.redis_url(ADMIN, admin),
        f"{MONGO}/keyfile": passwords.key_file,
        f"{REDIS}/users.acl": "\n".join(acl(where, passwords)),
        f"{OPERATOR}/api_key": passwords.api_key(OPERATOR),
        f"{PROMETHEUS}/api_key": passwords.api_key(PROMETHEUS),
    }
    for name in services:
        found[f"{name}/mongo_url"] = where.mongo_url(name, passwords.of_mongo(name))
        found[f"{name}/redis_url"] = where.redis_url(name, passwords.of_redis(name))
    return {path: f"{text}\n" for path, text in found.items()}


def acl(where: Installation, passwords: Passwords) -> Iterator[str]:
    """The lines of Redis' file of users. It holds digests only."""
    streams = Streams(where.stream_prefix)
    yield "user default off"
    yield f"user {PROBE} on nopass {' '.join(of_probe())}"
    rules = {
        ADMIN: of_admin(),
        ORCHESTRATOR: of_orchestrator(streams, where.foreign),
        **{name: of_participant(streams, name) for name in where.participants},
    }
    for name, rule in rules.items():
        digest = hashlib.sha256(passwords.of_redis(name).encode()).hexdigest()
        yield f"user {name} on #{digest} {' '.join(rule)}"


def _earlier(master: Path) -> str:
    """The secrets that were the master before, the newest last."""
    previous, last = master.with_name(PREVIOUS), Passwords.read(master)
    there = Passwords.read_all(previous) if previous.exists() else []
    kept = [*(one for one in there if one != last), last][-_EARLIER:]
    return "".join(f"{one.secret.hex()}\n" for one in kept)


def _keys(file: Path, passwords: Passwords) -> str:
    """The file of API keys: ours, and those that somebody has added."""
    there = file.read_text() if file.exists() else ""
    ours = [api_key(name, passwords.api_key(name), scopes) for name, scopes in API_KEYS.items()]
    try:
        others = [key for key in parse_keys(there) if key.name not in API_KEYS] if there.strip() else []
    except InvalidKeys as error:
        raise Failure(f"{file} {error}") from error
    return "".join(f"{key.entry}\n" for key in [*ours, *others])


def _write(directory: Path, name: str, text: str) -> bool:
    """In one step, and never for more people than it is for."""
    file, mode = directory / name, _OTHER_MODES.get(name, _FOR_OWNER)
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
    if file.exists() and file.read_text() == text:
        return False
    fresh = file.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    fresh.touch(mode=mode | 0o200)
    fresh.write_text(text)
    fresh.chmod(mode)
    fresh.replace(file)
    return True

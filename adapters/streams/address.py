"""Where a Redis is, from its URL: one server, a master that Sentinels know, or a cluster. Pure; connects to nothing.

What it says of a URL that can't be used never holds a part of it: URLs hold passwords.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from adapters.streams.names import Streams

_ONE = ("redis://", "rediss://", "unix://")
_SERVER = "redis://host:6379/0"
_SENTINEL = "redis+sentinel://host-1:26379,host-2:26379,host-3:26379/name-of-the-master"
_CLUSTER = "redis+cluster://host-1:6379,host-2:6379,host-3:6379"
_ESCAPED = "what is special in a user or password is written as %40"
SCHEMES = (*_ONE, "redis+sentinel://", "rediss+sentinel://", "redis+cluster://", "rediss+cluster://")

#: What the setting is, for those who have it.
REDIS_URL = (
    "Redis or Valkey, 7.0 or newer: `redis://host:port/0`, `unix:///path/of/its/socket`, "
    "`redis+sentinel://host:port,host:port/master-name` with the Sentinels' addresses, or "
    "`redis+cluster://host:port,host:port` with some of the nodes'; `rediss…` with TLS."
)

PARTITIONS = (
    "Parts of each command and reply stream, each with its own sagas and on one server of a cluster; the same number "
    "for all services. Unset: 12 on a cluster, else 1, and names without a number."
)
OF_A_CLUSTER = 12  #: over three masters they are spread as 4, 5 and 3

_PARTS = re.compile(
    r"rediss?\+(?P<kind>sentinel|cluster)://(?:(?P<user>[^/?#]*)@)?(?P<hosts>[^/?#@]*)(?P<path>[^?#]*)(?:\?(?P<options>[^#]*))?"
)
_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[^:\[\]\s]+)(?::(?P<port>[0-9]{1,5}))?")
_OPTIONS = {
    "sentinel": {"db", "sentinel_username", "sentinel_password"},
    "cluster": set[str](),
}
_TLS_OPTIONS = {"ssl_ca_certs", "ssl_certfile", "ssl_keyfile"}


class Kind(StrEnum):
    """How a Redis is made of servers."""

    ONE = "one"
    SENTINEL = "sentinel"  #: a master and its replicas; Sentinels know who is master now
    CLUSTER = "cluster"  #: several masters, each with a part of the keys


class BadAddress(ValueError):
    """The URL is none that can be used; the message says what is wrong, and shows a right one."""


@dataclass(frozen=True, slots=True)
class Address:
    """What a URL says. For one server only `url` counts: redis-py reads it itself."""

    kind: Kind
    url: str = field(repr=False)
    nodes: tuple[tuple[str, int], ...] = ()  #: hosts and ports, of Sentinels or of nodes of the cluster
    master: str = ""  #: the name by which Sentinels know it
    db: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    options: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)

    @classmethod
    def parse(cls, url: str) -> "Address":
        """Raises `BadAddress`."""
        if url.startswith(_ONE):
            _check_one(url)
            return cls(Kind.ONE, url)
        if not url.startswith(SCHEMES):
            raise BadAddress(f"must begin with {' or '.join(SCHEMES)}")
        kind = Kind.CLUSTER if "+cluster://" in url else Kind.SENTINEL
        right = _CLUSTER if kind is Kind.CLUSTER else _SENTINEL
        parts = _PARTS.fullmatch(url)
        if parts is None:
            raise BadAddress(f"can't be read as {right}; {_ESCAPED}")
        user, _, password = (parts["user"] or "").partition(":")
        options = _options(parts["options"] or "", kind, right)
        return cls(
            kind,
            url,
            _nodes(parts["hosts"], 6379 if kind is Kind.CLUSTER else 26379, right),
            _master(parts["path"], kind),
            _database(options.pop("db", "0"), right),
            unquote(user) or None,
            unquote(password) or None,
            options,
        )

    @property
    def tls(self) -> dict[str, Any]:
        """redis-py's options for TLS; none where the URL does not ask for it."""
        if not self.url.startswith("rediss"):
            return {}
        return {"ssl": True, **{name: value for name, value in self.options.items() if name in _TLS_OPTIONS}}

    @property
    def networked(self) -> bool:
        """Whether the network leads there, and not a Unix socket."""
        return not self.url.startswith("unix://")


def streams_at(url: str, prefix: str, partitions: int | None) -> Streams:
    """The names of the streams there; `partitions` as the setting says. Raises `BadAddress`."""
    usual = OF_A_CLUSTER if Address.parse(url).kind is Kind.CLUSTER else 1
    return Streams(prefix, partitions or usual)


def _check_one(url: str) -> None:
    """What redis-py will make of it, before it can say so itself: its words have parts of passwords."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme == "unix" or (parts.port != 0 and "@" not in parts.path + parts.fragment)
    except ValueError:
        usable = False
    if not usable:
        raise BadAddress(f"can't be read as {_SERVER}; {_ESCAPED}")


def _nodes(hosts: str, default_port: int, right: str) -> tuple[tuple[str, int], ...]:
    found = []
    for host in hosts.split(","):
        parts = _HOST.fullmatch(host)
        port = int(parts["port"] or default_port) if parts else 0
        if parts is None or not 0 < port < 65_536:
            raise BadAddress(f"needs hosts and their ports, with commas between them: {right}")
        found.append((parts["name"].strip("[]"), port))
    return tuple(found)


def _master(path: str, kind: Kind) -> str:
    name = path.removeprefix("/")
    if kind is Kind.CLUSTER:
        if name:
            raise BadAddress(f"has something behind its hosts, but a cluster has one database, and no name: {_CLUSTER}")
    elif not re.fullmatch(r"[A-Za-z0-9._-]+", name):
        raise BadAddress(f"must end with the name by which the Sentinels know their master: {_SENTINEL}")
    return name


def _options(written: str, kind: Kind, right: str) -> dict[str, str]:
    known = _OPTIONS[kind] | _TLS_OPTIONS
    options = dict(parse_qsl(written, keep_blank_values=True))
    if not options.keys() <= known:
        raise BadAddress(f"has an option that is not known; there are {', '.join(sorted(known))}: {right}")
    return options


def _database(number: str, right: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", number):
        raise BadAddress(f"has a db that is no number: {right}?db=1")
    return int(number)

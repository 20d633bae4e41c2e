"""Every Redis user, every command, every kind of key: exactly what is allowed, as a real server judges it.

The rules are those of the file that `saga secrets` writes and the containers' Redis reads. `ACL DRYRUN` asks the server
without doing anything.
"""

from collections.abc import Iterator
from itertools import product

import pytest

from adapters.servers import RedisServer
from adapters.streams.names import Streams
from cli.deployment.files import Installation, acl
from cli.deployment.passwords import Passwords
from sagas import Definitions
from support.guarded import arguments

USERS = ("orchestrator", "inventory", "payment", "orders", "probe")
STREAMS = (
    *(
        "saga.replies",
        "saga.replies.0",
        "saga.replies.63",
        "saga.replies.{3}",
        "saga.replies.dead",
        "saga.replies.7.dead",
    ),
    *("saga.events", "saga.events.dead"),
    *(f"saga.commands.{name}{rest}" for name in USERS[1:4] for rest in ("", ".{3}", ".dead")),
    *("saga.commands.inventory-2", "theirs", "theirs.dead", "untold"),
)
REPLIES = ("saga.replies", "saga.replies.0", "saga.replies.63", "saga.replies.{3}")
GROUP = ("g", "c")
#: By stream: the command with its arguments.
ON_STREAMS: dict[str, tuple[str, ...]] = {
    "XADD": ("XADD", "{}", "*", "f", "v"),
    "XREADGROUP": ("XREADGROUP", "GROUP", *GROUP, "STREAMS", "{}", ">"),
    "XREAD": ("XREAD", "STREAMS", "{}", "0"),
    "XACK": ("XACK", "{}", "g", "1-1"),
    "XCLAIM": ("XCLAIM", "{}", *GROUP, "0", "1-1"),
    "XAUTOCLAIM": ("XAUTOCLAIM", "{}", *GROUP, "0", "0"),
    "XPENDING": ("XPENDING", "{}", "g"),
    "XRANGE": ("XRANGE", "{}", "-", "+"),
    "XLEN": ("XLEN", "{}"),
    "XTRIM": ("XTRIM", "{}", "MINID", "1"),
    "XDEL": ("XDEL", "{}", "1-1"),
    "XSETID": ("XSETID", "{}", "1-1"),
    "XINFO GROUPS": ("XINFO", "GROUPS", "{}"),
    "XINFO CONSUMERS": ("XINFO", "CONSUMERS", "{}", "g"),
    "XINFO STREAM": ("XINFO", "STREAM", "{}"),
    "XGROUP CREATE": ("XGROUP", "CREATE", "{}", "g", "0", "MKSTREAM"),
    "XGROUP CREATECONSUMER": ("XGROUP", "CREATECONSUMER", "{}", *GROUP),
    "XGROUP DELCONSUMER": ("XGROUP", "DELCONSUMER", "{}", *GROUP),
    "XGROUP DESTROY": ("XGROUP", "DESTROY", "{}", "g"),
    "XGROUP SETID": ("XGROUP", "SETID", "{}", "g", "0"),
    "EXISTS": ("EXISTS", "{}"),
    "DEL": ("DEL", "{}"),
    "SET": ("SET", "{}", "1"),
    "EXPIRE": ("EXPIRE", "{}", "1"),
    "RENAME": ("RENAME", "{}", "{}"),
    "EVAL": ("EVAL", "return 1", "1", "{}"),
}
READ = {"XREADGROUP", "XACK", "XCLAIM", "XPENDING", "XRANGE", "XLEN", "EXISTS", "XINFO GROUPS", "XINFO CONSUMERS"}
READ |= {"XGROUP CREATE", "XGROUP CREATECONSUMER", "XGROUP DELCONSUMER", "EVAL"}
LOOK = {"XRANGE", "XLEN", "XPENDING", "EXISTS", "XINFO GROUPS", "XINFO CONSUMERS"}
WRITE = {"XADD", "XGROUP CREATE"}


def expected_on(user: str, stream: str) -> set[str]:
    """What the user may do with the stream."""
    if user == "probe":
        return set()
    if user == "orchestrator":
        return expected_of_the_orchestrator(stream)
    own = stream in (f"saga.commands.{user}", f"saga.commands.{user}.{{3}}")
    if own:
        return READ | {"XTRIM"}
    return WRITE if stream in (*REPLIES, f"saga.commands.{user}.dead") else set()


def expected_of_the_orchestrator(stream: str) -> set[str]:
    if stream in REPLIES:
        return READ | WRITE | {"XTRIM", "XINFO STREAM"}
    if stream.startswith("saga.commands.") and stream.endswith(".dead"):
        return READ | WRITE | {"XINFO STREAM"}
    if stream.startswith("saga.commands.") or (stream.startswith("saga.replies") and stream.endswith(".dead")):
        return WRITE | LOOK
    by_name = {
        "saga.events": WRITE | LOOK | {"XTRIM"},
        "saga.events.dead": LOOK,
        "theirs": READ | {"XINFO STREAM"},
        "theirs.dead": WRITE | LOOK,
    }
    return by_name.get(stream, set())


#: Without a key, or with one that is not a stream.
KEPT_BY = {
    "orchestrator": ("saga.replies.0", "orchestrator"),
    "inventory": ("saga.commands.inventory", "inventory"),
    "payment": ("saga.commands.payment.{3}", "payment"),
    "orders": ("saga.commands.orders", "orders"),
}
DANGEROUS = (
    *(("FLUSHALL",), ("FLUSHDB",), ("KEYS", "*"), ("SCAN", "0"), ("CONFIG", "GET", "*"), ("DEBUG", "JMAP")),
    *(("ACL", "LIST"), ("ACL", "SETUSER", "x"), ("SHUTDOWN",), ("REPLICAOF", "NO", "ONE"), ("SAVE",), ("MONITOR",)),
    *(("CLIENT", "LIST"), ("CLIENT", "KILL", "127.0.0.1:1"), ("INFO",), ("SWAPDB", "0", "1"), ("MODULE", "LIST")),
    *(("SCRIPT", "FLUSH"), ("FUNCTION", "FLUSH"), ("PUBLISH", "c", "m"), ("SUBSCRIBE", "c"), ("SLOWLOG", "GET")),
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    where = Installation(
        mongo="mongo:27017",
        redis="redis:6379",
        database_prefix="saga_",
        stream_prefix="saga.",
        participants=["inventory", "payment", "orders"],
        foreign=["theirs"],
    )
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    for line in acl(where, Passwords.new()):
        if "default" not in line:
            server.execute("ACL", "SETUSER", *arguments(line))
    yield server
    server.kill()


def may(server: RedisServer, user: str, *command: str) -> bool:
    return bool(server.execute("ACL", "DRYRUN", user, *command) == "OK")


@pytest.mark.parametrize("user", USERS)
def test_what_each_may_do_with_each_stream(server: RedisServer, user: str) -> None:
    found: dict[str, set[str]] = {stream: set() for stream in STREAMS}
    for stream, (name, command) in product(STREAMS, ON_STREAMS.items()):
        if may(server, user, *(part.replace("{}", stream) for part in command)):
            found[stream].add(name)
    assert found == {stream: expected_on(user, stream) for stream in STREAMS}


@pytest.mark.parametrize("user", USERS)
def test_what_is_kept_about_streams_belongs_to_those_that_read_them(server: RedisServer, user: str) -> None:
    streams = Streams()
    for owner, (stream, group) in KEPT_BY.items():
        allowed = user == owner
        beating, known = streams.heartbeat(stream, group, "c-1"), streams.known_consumers(stream, group)
        alone = streams.alone_counts(stream, group)
        assert may(server, user, "SET", beating, "1", "PX", "3000") is allowed
        assert may(server, user, "SADD", known, "c-1") is allowed
        assert may(server, user, "HINCRBY", alone, "1-1", "1") is allowed
        assert may(server, user, "EVAL", "return 1", "1", stream) is allowed
        assert not may(server, user, "EVAL", "return 1", "1", beating)
        assert may(server, user, "XADD", alone, "*", "f", "v") is False
        looks = allowed or user == "orchestrator"  # It counts who lives.
        assert may(server, user, "EXISTS", beating) is looks
        assert may(server, user, "SISMEMBER", known, "c-1") is looks
    for lease in (streams.replica(3), streams.sharer(3)):
        for command in (("GET", lease), ("SET", lease, "c-1"), ("EVAL", "return 1", "1", lease)):
            assert may(server, user, *command) is (user == "orchestrator")


@pytest.mark.parametrize("user", USERS)
def test_nobody_may_administer_or_look_around(server: RedisServer, user: str) -> None:
    assert [command for command in DANGEROUS if may(server, user, *command)] == []
    assert may(server, user, "PING")
    assert may(server, user, "TIME") is (user == "orchestrator")


def test_no_shipped_saga_needs_streams_of_others() -> None:
    # Else the users of the containers would need them: `saga secrets` reads the definitions.
    assert not Definitions.load("sagas.order").starting_on

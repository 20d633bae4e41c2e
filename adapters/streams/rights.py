"""What each service's Redis user may do: as little as it does. Rules as Redis' ACL has them (7.0 and newer).

A user has several selectors, and a command must be allowed by one of them as a whole. That keeps apart what one list
would mix up: whoever reads commands and adds replies could else forge commands for itself. Acknowledging and claiming
need the right to write. A partition's stream has its number in braces: `saga.commands.inventory.{3}`. Scripts may do
what their user may do outside of them.
"""

from collections.abc import Iterable, Sequence

from adapters.streams.names import ORCHESTRATOR_GROUP, Streams

_EACH = "resetchannels -@all +ping +multi +exec +discard +command +cluster|slots +asking"  # The last for clusters.
_READ = "+xreadgroup +xack +xclaim +xpending +xrange +xlen +exists +eval +xinfo|groups +xinfo|consumers"
_GROUP = "+xgroup|create +xgroup|createconsumer +xgroup|delconsumer"
_KEEP = "+exists +set +del +sadd +srem +sismember +hincrby +hdel"
_HEARTBEATS = "+exists +sismember"
_PUBLISH = "+xadd +xgroup|create"
_LOOK = "+xrange +xlen +xpending +exists +xinfo|groups +xinfo|consumers"


def of_participant(streams: Streams, name: str) -> Sequence[str]:
    """Reads its commands, answers them, and buries what it can't read."""
    whole = streams.commands(name)
    own = [whole, _partitions(whole)]
    return (
        f"{_EACH} {_READ} {_GROUP} +xtrim {_keys('RW', own)}",
        _selector(_PUBLISH, _keys("W", [*_replies(streams), streams.dead(whole)])),
        _selector(_KEEP, _keys("RW", _kept(streams, own, name))),
    )


def of_orchestrator(streams: Streams, foreign: Iterable[str] = ()) -> Sequence[str]:
    """Reads replies, the letters of dead commands and events that start sagas; sends commands; tells of everything."""
    replies, commands, theirs = _replies(streams), f"{streams.commands('')}*", [*map(_literally, foreign)]
    letters, slots = f"{commands}.dead", f"{streams.prefix}replica:*"
    dead = [streams.dead(stream) for stream in [*_slots(streams), streams.replies, *theirs]]
    read = [*replies, letters, *theirs]
    kept = [*_kept(streams, [*replies, letters], ORCHESTRATOR_GROUP), *_kept(streams, theirs, streams.starters)]
    looked_at = [commands, *dead, streams.events, streams.dead(streams.events)]
    return (
        f"{_EACH} +time {_READ} {_GROUP} +xinfo|stream {_keys('RW', read)}",
        _selector(_PUBLISH, _keys("W", [commands, *replies, *dead, streams.events])),
        _selector("+xtrim", _keys("W", [*replies, streams.events])),
        _selector(_LOOK, _keys("R", looked_at)),
        _selector(_KEEP, _keys("RW", kept)),
        _selector(
            _HEARTBEATS, _keys("R", [streams.heartbeat(commands, "*", "*"), streams.known_consumers(commands, "*")])
        ),
        _selector("+get +set +del +eval", _keys("RW", [slots])),
    )


def of_probe() -> Sequence[str]:
    """Asks whether the server is there."""
    return ("resetchannels -@all +ping",)


def of_admin() -> Sequence[str]:
    """Makes groups, and reads this list again when it has changed; a person's, too."""
    return ("+@all ~* &*",)


def _partitions(stream: str) -> str:
    return f"{stream}.{{*}}"


def _slots(streams: Streams) -> list[str]:
    """Not `replies.*`: that would have the dead letters, too."""
    return [f"{streams.replies}.{slot}" for slot in ("[0-9]", "[0-9][0-9]")]


def _replies(streams: Streams) -> list[str]:
    return [streams.replies, *_slots(streams), _partitions(streams.replies)]


def _kept(streams: Streams, read: Sequence[str], group: str) -> list[str]:
    """What the bus keeps about streams that are read by the group: who lives, and how often an entry was alone."""
    return [
        key
        for stream in read
        for key in (
            streams.heartbeat(stream, group, "*"),
            streams.known_consumers(stream, group),
            streams.alone_counts(stream, group),
        )
    ]


def _literally(name: str) -> str:
    return "".join(f"\\{letter}" if letter in "*?[]^\\" else letter for letter in name)


def _keys(access: str, patterns: Iterable[str]) -> str:
    return " ".join(f"%{access}~{pattern}" for pattern in patterns)


def _selector(*rules: str) -> str:
    return f"({' '.join(rules)})"

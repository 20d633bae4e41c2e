"""Names of streams, groups and keys on Redis: a contract with programs in other languages (docs/wire-protocol.md)."""

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

ORCHESTRATOR_GROUP = "orchestrator"  #: reads the replies
MAX_SLOTS = 64  #: orchestrators with a reply stream of their own
MAX_PARTITIONS = 64
_DEAD = ".dead"
_PARTITION = re.compile(r"\.\{[0-9]+\}$")


@dataclass(frozen=True, slots=True)
class Streams:
    """Every name the bus uses, from one prefix; two prefixes never meet on one server."""

    prefix: str = "saga."
    partitions: int = 1  #: of each command and reply stream; all messages of a saga are in partitions of one number

    def partition(self, stream: str, saga_id: str) -> str:
        """Where on one of our command or reply streams that saga's messages are."""
        if self.partitions == 1:
            return stream
        return _numbered(stream, zlib.crc32(saga_id.encode(errors="backslashreplace")) % self.partitions)

    def all_of(self, stream: str) -> Sequence[str]:
        """Every partition of one of our command or reply streams; the stream itself where it has none."""
        return [stream] if self.partitions == 1 else [_numbered(stream, n) for n in range(self.partitions)]

    @property
    def replies(self) -> str:
        """Where participants answer."""
        return f"{self.prefix}replies"

    def replies_of(self, slot: int) -> str:
        """Where participants answer the replica that holds the slot."""
        return f"{self.replies}.{slot}"

    def replica(self, slot: int) -> str:
        """A lease: the replica that holds the slot. It says so every second, and loses it after three of silence."""
        return f"{self.prefix}replica:{slot}"

    def sharer(self, slot: int) -> str:
        """The same where no slot has a stream. In a cluster all of them are on one server, whatever the others do."""
        return f"{self.prefix}replica:{{shared}}:{slot}"

    @property
    def events(self) -> str:
        """What happened to sagas, for anyone with a group of their own."""
        return f"{self.prefix}events"

    def commands(self, participant: str) -> str:
        """A participant's commands, read by the group named like it."""
        return f"{self.prefix}commands.{participant}"

    def dead(self, stream: str) -> str:
        """Where entries of `stream` go that can never be handled: one stream for all partitions."""
        return f"{_whole(stream) if self.own_group(stream) else stream}{_DEAD}"

    def alive(self, dead: str, saga_id: str) -> str:
        """The stream on which a dead letter was; of a saga, if it was one of our own."""
        stream = dead.removesuffix(_DEAD)
        return self.partition(stream, saga_id) if self.own_group(stream) else stream

    def is_dead(self, stream: str) -> bool:
        """Whether this is a stream of dead letters."""
        return stream.endswith(_DEAD)

    def is_commands(self, stream: str) -> bool:
        """Whether this is a participant's command stream."""
        return stream.startswith(self.commands("")) and not self.is_dead(stream)

    def is_replies(self, stream: str) -> bool:
        """Whether this is a stream of replies, everybody's or one replica's."""
        return stream == self.replies or (stream.startswith(f"{self.replies}.") and not self.is_dead(stream))

    def own_group(self, stream: str) -> str | None:
        """The group that reads one of our command or reply streams; `None` for every other stream.

        It is made at id 0 before the first entry, and only such a stream is trimmed below what its group has read.
        """
        if self.is_commands(stream):
            return _whole(stream.removeprefix(self.commands(""))) or None
        return ORCHESTRATOR_GROUP if self.is_replies(stream) else None

    @property
    def starters(self) -> str:
        """Our group on streams of others: named after the prefix, for several of us may read the same stream."""
        return f"{self.prefix}{ORCHESTRATOR_GROUP}"

    def is_ours(self, stream: str) -> bool:
        """Whether this is one of our own streams, or the dead letters of one."""
        while self.is_dead(stream):
            stream = stream.removesuffix(_DEAD)
        return stream == self.events or self.own_group(stream) is not None

    def our_group(self, stream: str) -> str | None:
        """The group with which we read the stream, if we read it; `None` where others do."""
        return self.own_group(stream) if self.is_ours(stream) else self.starters

    def heartbeat(self, stream: str, group: str, consumer: str) -> str:
        """The key that exists as long as the consumer lives."""
        return f"{self.prefix}consumer:{stream}:{group}:{consumer}"

    def known_consumers(self, stream: str, group: str) -> str:
        """A set: the consumers that ever had a heartbeat, so that its absence means they are dead."""
        return f"{self.prefix}consumers:{stream}:{group}"

    def alone_counts(self, stream: str, group: str) -> str:
        """A hash: how often each pending entry was handled alone."""
        return f"{self.prefix}alone:{stream}:{group}"


def _numbered(stream: str, partition: int) -> str:
    """In braces the number is what a cluster places a key by: all partitions of one number are on one server."""
    return f"{stream}.{{{partition}}}"


def _whole(stream: str) -> str:
    return _PARTITION.sub("", stream)

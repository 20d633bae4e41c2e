"""The only file that relies on private or undocumented names of FastStream (0.7.8; pyproject bounds the version).

FastStream reads batches; everything else that a dependable reader needs is ours, because FastStream 0.7 stops for
good when its group is lost, never reads what it left pending, and restarts a refused reader without any pause. A
newer FastStream needs this file looked at, and tests/integration/test_guardian.py passed, before the bound moves.

What it reads is handed on where it arrives: FastStream's own way from there to a handler was 230 of the 2,170
function calls that a command costs a participant, and adds nothing that is used here.

Relied on: the broker's `_make_connection_state` hook and `ConnectionState._client`, a subscriber's `tasks`, `running`,
`last_id`, `read_id`, that it reads with `xreadgroup(groupname=, consumername=, streams=)` and goes on where that finds
nothing, and FASTSTREAM_SUPERVISOR_DISABLED.
"""

import os
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Self, TypeAlias

# FastStream's supervisor restarts a failed reader at once, for ever: 1,650 reads per second against a server that
# refuses, and a list of dead tasks that only grows. The guardian restarts readers instead. Read at each failure.
os.environ["FASTSTREAM_SUPERVISOR_DISABLED"] = "1"

from faststream import AckPolicy
from faststream.redis import RedisBroker, RedisClusterBroker, RedisSentinelBroker, StreamSub
from faststream.redis.configs.state import RedisConnectionState

from adapters.streams.address import Address, Kind
from adapters.streams.connection import Client
from adapters.streams.pipeline import Argument, Pipeline
from adapters.streams.settings import StreamSettings

RawEntry: TypeAlias = tuple[bytes, dict[bytes, bytes]]  # id and fields as Redis sent them
OnBatch: TypeAlias = Callable[[Sequence[RawEntry]], Awaitable[None]]
Room: TypeAlias = Callable[[], Awaitable[int]]  # how many entries may be read now; a 0 has waited before it came


class _ReadingClient:
    """Our client, as far as FastStream's reader uses one; to FastStream nothing is ever found."""

    def __init__(self, client: Client, pipeline: Pipeline) -> None:
        self.xgroup_create = client.xgroup_create
        self._pipeline = pipeline
        self.readers: dict[tuple[str, str], Reader] = {}  #: by stream and group

    async def ping(self) -> bool:
        """Its guardian has just made its group: Redis answers."""
        return True

    async def xreadgroup(self, groupname: str, consumername: str, streams: Any, **options: Any) -> Any:
        ((stream, place),) = streams.items()
        await self.readers[stream, groupname].read(self._pipeline, consumername, place, **options)
        return ()


class _OurConnection(RedisConnectionState):
    """Gives FastStream our client, so that the process has one bounded pool; we close it, not FastStream."""

    def __init__(self, client: _ReadingClient) -> None:
        super().__init__()
        self._ours = client

    async def connect(self) -> Any:
        ours: Any = self._ours
        self._client, self._connected = ours, True
        return ours

    async def disconnect(self) -> None:
        self._client, self._connected = None, False


class Broker(RedisBroker):
    """FastStream's broker on our client."""

    def __init__(
        self, client: Client, pipeline: Pipeline, url: str, settings: StreamSettings, **of_its_kind: Any
    ) -> None:
        self._reading = _ReadingClient(client, pipeline)
        silent: Any = None  # FastStream logs every batch and every retry; the guardian says what matters.
        drain_s = settings.drain_timeout_s
        super().__init__(url, logger=silent, apply_types=False, graceful_timeout=drain_s, **of_its_kind)

    async def start(self) -> None:
        """Only connect: readers are started by their guardians, once their group exists.

        So a FastStream application may hold this broker, for its command line and its AsyncAPI document.
        """
        await self.connect()

    def _make_connection_state(self, connection_options: dict[str, Any], kwargs: dict[str, Any]) -> Any:
        return _OurConnection(self._reading)

    @property
    def readers(self) -> "dict[tuple[str, str], Reader]":
        """By stream and group: who gets what is read there."""
        return self._reading.readers


class _SentinelBroker(Broker, RedisSentinelBroker):
    """The same for a master that Sentinels know."""


class _ClusterBroker(Broker, RedisClusterBroker):
    """The same for a cluster."""


def broker(address: Address, client: Client, pipeline: Pipeline, settings: StreamSettings) -> Broker:
    """FastStream's broker for such a Redis, on our client. FastStream is told of no user and no password."""
    if address.kind is Kind.ONE:
        return Broker(client, pipeline, address.url, settings)
    host, port = address.nodes[0]
    url = f"redis://{host}:{port}"
    if address.kind is Kind.CLUSTER:
        return _ClusterBroker(client, pipeline, url, settings)
    sentinels = {"sentinels": address.nodes, "sentinel_master_name": address.master}
    return _SentinelBroker(client, pipeline, url, settings, **sentinels)


class _Stream(StreamSub):
    """FastStream asks for it with a prefix at each read, and gets a deep copy; our names have theirs."""

    def add_prefix(self, prefix: str) -> Self:
        return self if not prefix else super().add_prefix(prefix)


class Reader:
    """One batch subscriber that can be started again. It only reads: `on_batch` acknowledges and never raises.

    It remembers how the last read ended. FastStream tells nobody: after a lost connection its reader sleeps for 5 s,
    whatever the server does meanwhile.
    """

    def __init__(
        self,
        broker: Broker,
        stream: str,
        group: str,
        consumer: str,
        on_batch: OnBatch,
        settings: StreamSettings,
        room: Room | None = None,
    ) -> None:
        self._subscriber: Any = broker.subscriber(
            stream=_Stream(
                stream,
                group=group,
                consumer=consumer,
                batch=True,
                max_records=settings.max_records,
                polling_interval=settings.block_ms,
            ),
            ack_policy=AckPolicy.MANUAL,
            no_reply=True,
            persistent=False,  # The broker forgets it when we do.
        )
        self._subscriber(on_batch)  # Who has no handler reads nothing. It never comes to calling it.
        self._stream, self._group, self._on_batch, self._room = stream, group, on_batch, room
        self._readers = broker.readers
        self._failure: Exception | None = None

    async def read(self, pipeline: Pipeline, consumer: str, place: str, *, count: int, block: int, **_: Any) -> None:
        """Read once, and hand on what was found. Raises what the read ended with."""
        if self._room is not None and (count := min(count, await self._room())) <= 0:
            return
        try:
            found = await self._entries(pipeline, consumer, place, count, block)
        except Exception as error:
            self._failure = error
            raise
        self._failure = None
        if found:
            await self._on_batch(found)

    async def _entries(
        self, pipeline: Pipeline, consumer: str, place: str, count: int, block: int
    ) -> Sequence[RawEntry]:
        limits: tuple[Argument, ...] = ("COUNT", count, "BLOCK", block)
        command = ("XREADGROUP", "GROUP", self._group, consumer, *limits, "STREAMS", self._stream, place)
        (answer,) = await pipeline.execute([command])
        if isinstance(answer, Exception):
            raise answer
        streams: Any = answer or {}  # Pairs by the older protocol.
        return [_entry(*entry) for entries in dict(streams).values() for entry in entries]

    @property
    def alive(self) -> bool:
        """Whether it reads, and its last read went well."""
        running = bool(self._subscriber.running) and any(not task.done() for task in self._subscriber.tasks)
        return running and self._failure is None

    @property
    def failure(self) -> str:
        """The error its last read ended with; empty where there was none."""
        return "" if self._failure is None else str(self._failure)

    @property
    def lost_its_group(self) -> bool:
        """Whether the last read failed because the group, or the stream with it, was deleted."""
        # "UNBLOCKED the stream key no longer exists" is what a read is told that was waiting at that moment.
        return "NOGROUP" in self.failure or "no longer exists" in self.failure

    async def start(self, place: str = "0") -> None:
        """Begin to read; the group must exist. Raises what Redis answers."""
        # FastStream makes a missing group at "$" and would skip what is on the stream. With `last_id` it makes it
        # there, and read_id ">" keeps it from reading its own pending entries over and over (its issue 2694).
        self._subscriber.last_id, self._subscriber.read_id = place, ">"
        self._failure = None
        self._readers[self._stream, self._group] = self
        await self._subscriber.start()

    async def stop(self) -> None:
        """Read no more. A batch that has been handed on is not waited for."""
        await self._subscriber.stop()
        if self._readers.get((self._stream, self._group)) is self:  # Another may read it by now.
            del self._readers[self._stream, self._group]


def _entry(entry_id: bytes, flat: Sequence[bytes]) -> RawEntry:
    parts = iter(flat)
    return entry_id, dict(zip(parts, parts, strict=True))

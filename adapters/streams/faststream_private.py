"""The only file that relies on private or undocumented names of FastStream (0.7.8; pyproject bounds the version).

FastStream reads batches; everything else that a dependable reader needs is ours, because FastStream 0.7 stops for
good when its group is lost, never reads what it left pending, and restarts a refused reader without any pause. A
newer FastStream needs this file looked at, and tests/integration/test_guardian.py passed, before the bound moves.

Relied on: the raw message (`message_ids`, `data`), `RedisBatchStreamMessage(consumer=, group=)`, the broker's
`_make_connection_state` hook and `ConnectionState._client`, a subscriber's `tasks`, `running`, `last_id`, `read_id`,
that it reads with `xreadgroup(groupname=, consumername=, streams=)`, and FASTSTREAM_SUPERVISOR_DISABLED.
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
from faststream.redis.message import FAKE_CONSUMER, RedisBatchStreamMessage

from adapters.streams.address import Address, Kind
from adapters.streams.connection import Client
from adapters.streams.pipeline import Argument, Pipeline
from adapters.streams.settings import StreamSettings

RawEntry: TypeAlias = tuple[bytes, dict[bytes, bytes]]  # id and fields as Redis sent them
OnBatch: TypeAlias = Callable[[Sequence[RawEntry]], Awaitable[None]]
Room: TypeAlias = Callable[[], Awaitable[int]]  # how many entries may be read now; a 0 has waited before it came


class _ReadingClient:
    """Our client, as far as FastStream's reader uses one; it remembers how the last read ended.

    FastStream tells nobody: after a lost connection its reader sleeps for 5 s, whatever the server does meanwhile.
    """

    def __init__(self, client: Client, pipeline: Pipeline) -> None:
        self.xgroup_create = client.xgroup_create
        self._pipeline = pipeline
        self.failures: dict[tuple[str, str], Exception] = {}  #: by stream and group: the last read's error
        self.rooms: dict[tuple[str, str], Room] = {}  #: by stream and group: how much may be read, where that varies

    async def ping(self) -> bool:
        """Its guardian has just made its group: Redis answers."""
        return True

    async def xreadgroup(self, groupname: str, consumername: str, streams: Any, **options: Any) -> Any:
        (stream,) = streams
        if (room := self.rooms.get((stream, groupname))) is not None:
            may_read = await room()
            if may_read <= 0:
                return []
            options["count"] = min(options["count"], may_read)
        try:
            answer = await self._read(stream, groupname, consumername, streams[stream], **options)
        except Exception as error:
            self.failures[stream, groupname] = error
            raise
        self.failures.pop((stream, groupname), None)
        return answer

    async def _read(
        self, stream: str, group: str, consumer: str, place: str, *, count: int, block: int, **_: Any
    ) -> Any:
        limits: tuple[Argument, ...] = ("COUNT", count, "BLOCK", block)
        command = ("XREADGROUP", "GROUP", group, consumer, *limits, "STREAMS", stream, place)
        (answer,) = await self._pipeline.execute([command])
        if isinstance(answer, Exception):
            raise answer
        found: Any = answer or {}  # Pairs by the older protocol.
        return [(name, [_entry(*entry) for entry in entries]) for name, entries in dict(found).items()]


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
    def failures(self) -> dict[tuple[str, str], Exception]:
        """By stream and group: the error that the last read ended with, where it did."""
        return self._reading.failures

    @property
    def rooms(self) -> dict[tuple[str, str], Room]:
        """By stream and group: what is asked before each read."""
        return self._reading.rooms


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
    """FastStream asks for it with a prefix several times a batch, and gets a deep copy; our names have theirs."""

    def add_prefix(self, prefix: str) -> Self:
        return self if not prefix else super().add_prefix(prefix)


class Reader:
    """One batch subscriber that can be started again. It only reads: `on_batch` acknowledges and never raises."""

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
            parser=_parse,
            decoder=_decode,
            ack_policy=AckPolicy.MANUAL,
            no_reply=True,
            persistent=False,  # The broker forgets it when we do.
        )
        self._subscriber(on_batch)
        self._failures, self._key = broker.failures, (stream, group)
        if room is not None:
            broker.rooms[self._key] = room

    @property
    def alive(self) -> bool:
        """Whether it reads, and its last read went well."""
        running = bool(self._subscriber.running) and any(not task.done() for task in self._subscriber.tasks)
        return running and self._key not in self._failures

    @property
    def failure(self) -> str:
        """The error its last read ended with; empty where there was none."""
        return str(self._failures.get(self._key, ""))

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
        self._failures.pop(self._key, None)
        await self._subscriber.start()

    async def stop(self) -> None:
        """Read no more; waits for the batch in hand."""
        await self._subscriber.stop()


async def _parse(message: Any) -> RedisBatchStreamMessage:
    """Flat fields as they are: the default parser would look for FastStream's binary envelope."""
    ids = message["message_ids"]
    name = ids[0].decode()
    return RedisBatchStreamMessage(
        raw_message=message,
        body=list(zip(ids, message["data"], strict=True)),
        headers={},
        batch_headers=[],
        message_id=name,
        correlation_id=name,
        consumer=FAKE_CONSUMER,
        group=None,
    )


async def _decode(message: Any) -> Any:
    return message.body


def _entry(entry_id: bytes, flat: Sequence[bytes]) -> RawEntry:
    parts = iter(flat)
    return entry_id, dict(zip(parts, parts, strict=True))

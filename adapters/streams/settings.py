"""Every limit of the Redis bus in one place, checked before the first message."""

from dataclasses import dataclass, fields

_BOUNDS: dict[str, tuple[float, float]] = {
    "max_records": (1, 10_000),
    "block_ms": (10, 4_000),
    "heartbeat_ms": (100, 600_000),
    "heartbeat_every_s": (0.01, 200),
    "tend_every_s": (0.01, 60),
    "idle_takeover_s": (0.1, 86_400),
    "claim_idle_ms": (1, 60_000),
    "takeover_slice": (1, 1_000),
    "alone_limit": (1, 1_000),
    "dead_letter_maxlen": (1, 10_000_000),
    "trim_every_s": (0.01, 86_400),
    "events_maxlen": (1, 1_000_000_000),
    "events_age_s": (1, 10 * 365 * 86_400),
    "dead_consumer_idle_s": (0.1, 30 * 86_400),
    "publish_chunk": (1, 10_000),
    "max_connections": (4, 10_000),
    "socket_timeout_s": (0.1, 600),
    "drain_timeout_s": (0.1, 600),
    "backoff_first_s": (0.001, 60),
    "backoff_cap_s": (0.001, 60),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSettings:
    """Settings of `RedisBus`. The defaults suit production; tests shorten the times."""

    max_records: int = 200  #: entries per read, and so per batch
    block_ms: int = 1_000  #: how long one read waits on the server; well below the socket timeout
    heartbeat_ms: int = 3_000  #: a consumer silent for that long is dead
    heartbeat_every_s: float = 1.0  #: how often a consumer says that it lives, and looks after its reader
    tend_every_s: float = 1.0  #: how often left entries are tried again and dead consumers looked for
    idle_takeover_s: float = 60.0  #: an entry pending that long is taken from a live or foreign consumer too
    claim_idle_ms: int = 1_000  #: two that take over at once: who claims second finds the entry fresher than this
    takeover_slice: int = 50  #: entries handled alone before the next batch gets its turn
    alone_limit: int = 5  #: an entry that was alone so often without being settled is a dead letter
    dead_letter_maxlen: int = 100_000  #: newest entries kept in each dead letter stream
    trim_every_s: float = 30.0  #: how often streams are trimmed and dead consumers' names removed
    events_maxlen: int = 1_000_000  #: newest entries kept in the stream of events
    events_age_s: float = 7 * 86_400.0  #: events older than this are trimmed
    dead_consumer_idle_s: float = 600.0  #: a consumer without pending entries, idle that long, loses its name
    publish_chunk: int = 1_000  #: entries per pipeline
    max_connections: int = 64  #: shared by all; each subscription has two more
    socket_timeout_s: float = 5.0  #: a server silent for that long counts as away
    drain_timeout_s: float = 15.0  #: how long `stop` waits for the batch in hand
    backoff_first_s: float = 0.1  #: first pause while a server is away; doubles, with jitter
    backoff_cap_s: float = 3.0  #: longest such pause

    def __post_init__(self) -> None:
        for field in fields(self):
            low, high = _BOUNDS[field.name]
            if not low <= getattr(self, field.name) <= high:
                raise ValueError(f"{field.name} must be between {low} and {high}")
        if self.heartbeat_ms < 2_000 * self.heartbeat_every_s:
            raise ValueError("heartbeat_ms must be at least twice heartbeat_every_s, or live consumers seem dead")
        if self.socket_timeout_s * 1_000 < 2 * self.block_ms:
            raise ValueError("socket_timeout_s must be at least twice block_ms, or an idle read seems a dead server")

"""Judgements about Redis and the streams on it. Pure: facts in, checks out."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from adapters.facts import Unknown
from adapters.streams.figures import StreamFigures
from adapters.streams.health import Info, RedisFacts
from adapters.streams.readers import Readers
from cli.doctor.check import Check, Status, failed, judged, listed, not_answering, ok, warning

NEEDED = (7, 0)
FULL, NEARLY_FULL = 0.95, 0.80
LONG_LAG = 10_000  #: entries, as in docs/metrics.md
LONG_PENDING_S = 120

_KEEP_EVERYTHING = "`CONFIG SET maxmemory-policy noeviction`, and the same in redis.conf: a full Redis must say so."
_KEEP_A_LOG = "`CONFIG SET appendonly yes`, and the same in redis.conf."


def judge_redis(facts: RedisFacts, *, serving: bool) -> list[Check]:
    """Everything about the server and the streams; `serving`: whether an orchestrator answers."""
    groups = facts.readers
    return [
        _reachable(facts),
        _each("redis-version", facts, _version),
        _each("redis-role", facts, _role_in_cluster if facts.masters else _role),
        _each("redis-eviction", facts, _eviction),
        _each("redis-persistence", facts, _persistence),
        _each("redis-memory", facts, _memory),
        judged("streams", facts.types, _types),
        judged("consumer-groups", groups, lambda name, found: _groups(name, found, facts.types, serving=serving)),
        judged("consumers", groups, _consumers),
        judged("backlog", facts.figures, _backlog),
        judged("pending-entries", facts.figures, _pending),
    ]


def _reachable(facts: RedisFacts) -> Check:
    name = "redis"
    if isinstance(facts.info, Unknown):
        return not_answering(name, facts.info.reason, "SAGA_REDIS_URL", "ssl_ca_certs")
    away = [f"{master}: {info.reason}" for master, info in facts.masters.items() if isinstance(info, Unknown)]
    if away:
        return failed(name, listed(away), "Start it, or let a replica take its place: sagas of its partitions wait.")
    if facts.info.get("loading"):
        return warning(name, "is loading its data", "Wait until it has; everything goes on by itself then.")
    return ok(name, "answers")


def _each(name: str, facts: RedisFacts, judge: Callable[[str, Info], Check]) -> Check:
    """One judgement of all masters of a cluster: the worst, and of whom. What is unknown is known to be away."""
    if not facts.masters:
        return judged(name, facts.info, judge)
    checks = {master: judge(name, info) for master, info in facts.masters.items() if not isinstance(info, Unknown)}
    worst = min((check.status for check in checks.values()), key=[Status.FAILED, Status.WARNING, Status.OK].index)
    found = {master: check for master, check in checks.items() if check.status is worst}
    alike = len({check.detail for check in found.values()}) == 1 and len(found) == len(checks)
    said = [f"{'each' if alike else master}: {check.detail}" for master, check in found.items()]
    return Check(name, worst, listed(said[:1] if alike else said), next(iter(found.values())).remedy)


def _version(name: str, info: Info) -> Check:
    """Valkey says with which Redis it is compatible, and its own version."""
    said = f"{info.get('server_name', 'redis')} {info.get('valkey_version', info['redis_version'])}"
    if tuple(int(part) for part in str(info["redis_version"]).split(".")[:2]) < NEEDED:
        return failed(name, said, "Take Redis 7.0 or newer, or Valkey.")
    return ok(name, said)


def _role(name: str, info: Info) -> Check:
    if info.get("cluster_enabled"):
        return failed(
            name, "one node of a cluster", "Let SAGA_REDIS_URL begin with redis+cluster:// and name some nodes."
        )
    if info.get("role") == "slave":
        return failed(name, "a replica, which nobody can write to", "Let SAGA_REDIS_URL name its master.")
    return ok(name, str(info.get("role", "not told")))


def _role_in_cluster(name: str, info: Info) -> Check:
    if info.get("connected_slaves"):
        return ok(name, "a master of a cluster, with a replica")
    return warning(name, "no replica takes its place", "Give each master of the cluster a replica.")


def _eviction(name: str, info: Info) -> Check:
    policy, evicted = info.get("maxmemory_policy", "not told"), info.get("evicted_keys", 0)
    said = f"maxmemory-policy is {policy}" + (f"; {evicted} keys were evicted since Redis started" if evicted else "")
    if policy.startswith("allkeys"):
        return failed(name, f"{said}: a full Redis removes whole streams without a word", _KEEP_EVERYTHING)
    if policy.startswith("volatile"):
        return warning(name, f"{said}: a full Redis removes heartbeats, and consumers seem dead", _KEEP_EVERYTHING)
    if evicted:
        return warning(name, said, "Streams may be gone. What was lost is sent again; events are not.")
    return ok(name, said)


def _persistence(name: str, info: Info) -> Check:
    if not info.get("aof_enabled"):
        said = "the append-only file is off: a restart loses every command, which costs time, and events for good"
        return failed(name, said, _KEEP_A_LOG)
    broken = [key for key in ("aof_last_write_status", "aof_last_bgrewrite_status") if info.get(key, "ok") != "ok"]
    if broken:
        return failed(name, f"writing to disk fails: {listed(broken)}", "Look at the disk, and into the log of Redis.")
    return ok(name, "the append-only file is on")


def _memory(name: str, info: Info) -> Check:
    most, used = info.get("maxmemory", 0), info.get("used_memory", 0)
    if not most:
        return ok(name, f"{used / 2**20:.0f} MiB in use, without a limit")
    share = used / most
    said = f"{share:.0%} of maxmemory in use"
    remedy = "Raise maxmemory, or see under `backlog` who does not read: a full Redis refuses new commands."
    judge = failed if share >= FULL else warning if share >= NEARLY_FULL else None
    return judge(name, said, remedy) if judge else ok(name, said)


def _types(name: str, types: Mapping[str, str]) -> Check:
    wrong = [f"{stream} is a {kind}" for stream, kind in types.items() if kind not in ("stream", "none")]
    if wrong:
        remedy = "Another program has taken the name. Rename or delete that key, or choose another SAGA_STREAM_PREFIX."
        return failed(name, listed(wrong), remedy)
    return ok(name, f"{sum(kind == 'stream' for kind in types.values())} there")


def _groups(name: str, readers: Sequence[Readers], types: Any, *, serving: bool) -> Check:
    gone = [one for one in readers if not one.there]
    if not gone:
        return ok(name, f"{len(readers)} there")
    said = f"missing: {listed([f'{one.group} of {one.stream}' for one in gone])}"
    streams = {} if isinstance(types, Unknown) else types
    if not serving and all(streams.get(one.stream) == "none" for one in gone):
        return warning(name, f"{said}; nothing has run here yet", _start(gone))
    return failed(name, said, f"{_start(gone)} One that runs makes its group again within seconds.")


def _consumers(name: str, readers: Sequence[Readers]) -> Check:
    alone = [one for one in readers if one.there and not one.living]
    if alone:
        said = f"nobody reads {listed([f'{one.stream} (group {one.group})' for one in alone])}"
        return failed(name, f"{said}: sagas wait there", _start(alone))
    return ok(name, f"{sum(one.living for one in readers)} read {sum(one.there for one in readers)} streams")


def _start(readers: Sequence[Readers]) -> str:
    own = [one for one in readers if one.stream.endswith(f"commands.{one.group}")]
    participants = [f"`saga participant {one.group}`" for one in own]
    orchestrator = ["`saga serve`"] if len(own) < len(readers) else []
    return f"Start {listed([*orchestrator, *participants])}; `saga up` starts them all."


def _backlog(name: str, figures: Sequence[StreamFigures]) -> Check:
    lags = [(stream.stream, group) for stream in figures for group in stream.groups]
    long = [f"{group.lag} for {group.group} on {name}" for name, group in lags if (group.lag or 0) >= LONG_LAG]
    if long:
        return warning(name, f"entries not read yet: {listed(long)}", "Run more of these participants, or faster ones.")
    dark = [f"{group.group} on {name}" for name, group in lags if group.lag is None and group.consumers]
    if dark:
        remedy = "Entries were deleted by hand. It is known again once the group has read to the end."
        return warning(name, f"Redis can't tell how much is left to read for {listed(dark)}", remedy)
    return ok(name, f"{sum(group.lag or 0 for _, group in lags)} entries to be read")


def _pending(name: str, figures: Sequence[StreamFigures]) -> Check:
    groups = [(stream.stream, group) for stream in figures for group in stream.groups]
    old = [
        f"{group.group} on {name} since {group.oldest_pending_idle_s:.0f} s"
        for name, group in groups
        if group.oldest_pending_idle_s > LONG_PENDING_S
    ]
    if old:
        remedy = "Look into that participant's log: what it was given is neither done nor refused."
        return warning(name, f"delivered and not settled: {listed(old)}", remedy)
    return ok(name, f"{sum(group.pending for _, group in groups)} in hand")

"""The rules of delivery that hold on every bus, Redis or not: who is judged alone, when, and what a dead letter causes.

No redis-py here: `adapters/memory_bus.py` follows the same rules.
"""

from collections.abc import Sequence
from datetime import datetime

import structlog

from adapters.bus import Dead, Delivery, Entry, Later, Leave, Subscription, Verdict
from adapters.errors import Unavailable
from adapters.streams.envelope import MAX_ID_CHARS, failed_reply, time_text
from adapters.streams.names import Streams
from adapters.tracing.context import trace_id_of
from sagas.values import replace

log = structlog.get_logger(__name__)


async def judge(subscription: Subscription, deliveries: Sequence[Delivery]) -> Sequence[Verdict | Later]:
    """Ask the handler about a batch. Raises whatever it raises, and when it answers for another number of entries."""
    verdicts = await subscription.handler(deliveries)
    if len(verdicts) != len(deliveries):
        raise ValueError(f"the handler returned {len(verdicts)} verdicts for {len(deliveries)} deliveries")
    return verdicts


async def judge_alone(subscription: Subscription, delivery: Delivery, counted: int, limit: int) -> Verdict | Later:
    """Ask about one entry that was delivered before, for the `counted`-th time alone. Raises only `Unavailable`.

    An entry that was alone `limit` times without being settled is dead. A count beyond the limit means that the
    process died with it the last time: it is not even tried. The verdict on a suspect is waited for here.
    """
    if counted > limit:
        return Dead(f"delivered alone {limit} times, and never settled")
    try:
        suspect = counted > 1
        (given,) = await judge(subscription, [replace(delivery, suspect=suspect)])
        if isinstance(given, Later) and not suspect:
            return given
        verdict = await given.verdict if isinstance(given, Later) else given
    except Unavailable:
        raise
    except Exception as error:  # noqa: BLE001 - a handler's bug is a reason to leave its entry, whatever it was
        log_raised([delivery], error)
        verdict = Leave(f"{type(error).__name__}: {error}")
    if isinstance(verdict, Leave) and counted == limit:
        return Dead(f"delivered alone {limit} times, and never settled: {verdict.reason}")
    return verdict


def log_raised(deliveries: Sequence[Delivery], error: Exception) -> None:
    """One line for a handler that raised."""
    log.error("handler-raised", **names(deliveries[0]), entries=len(deliveries), exc_info=error)


def names(delivery: Delivery) -> dict[str, str]:
    """How an entry is named in a log line: where it is, and which saga and command it seems to be about."""
    fields = delivery.fields
    command_id = fields.get("causationid") or fields.get("id", "")
    given = {
        "stream": delivery.stream,
        "entry_id": delivery.entry_id,
        "saga_id": (fields.get("subject") or command_id.partition("/")[0])[:MAX_ID_CHARS],
        "command_id": command_id[:MAX_ID_CHARS],
        "trace_id": trace_id_of(fields.get("traceparent")),
    }
    return {name: value for name, value in given.items() if value}


def without_words(reason: str) -> str:
    """A reason without what follows its colon: an exception's words may hold anything that was sent."""
    return reason.partition(":")[0]


def dead_letters(delivery: Delivery, reason: str, now: datetime, streams: Streams) -> tuple[Entry, ...]:
    """What a dead letter causes: itself, with reason, origin and time, and for a command the answer `failed`."""
    letter = Entry(
        streams.dead(delivery.stream),
        {
            **delivery.fields,
            "deadstream": delivery.stream,
            "deadid": delivery.entry_id,
            "deadreason": reason,
            "deadtime": time_text(now),
        },
    )
    reply = failed_reply(delivery.fields, reason) if streams.is_commands(delivery.stream) else None
    return (letter,) if reply is None else (letter, reply)

"""Tells customers what became of their orders, with nothing but a Redis client: `python examples/notifier.py URL`.

It reads `saga.events` with a consumer group of its own, so it goes on where it stopped. By the event's id it knows what
it has notified of, for longer than events are kept: an event that comes twice is one notification. `--from-beginning`
reads what the stream still has once more, and notifies of it again.

What it may miss: events that Redis lost with its data, and those of a week in which nobody ran it. Whoever must not
miss one follows `GET /v1/sagas/events`, which reads MongoDB's change stream. What it may repeat: the notification
during which it was killed, and after a loss of Redis, which takes its memory too, what the orchestrator says again.
"""

import json
import sys
import time

import redis

STREAM, GROUP, SENT = "saga.events", "orders-notifier", "orders-notifier:sent"
NEWS = {
    "saga.order.completed": "your order is on its way",
    "saga.order.compensated": "your order could not be placed, and nothing was charged",
    "saga.order.stuck": "your order takes longer; somebody is looking at it",
}
bus = redis.Redis.from_url(sys.argv[1], decode_responses=True)


def notify(event: dict) -> None:
    """One notification per event, however often the event comes."""
    if event["type"] in NEWS and bus.zscore(SENT, event["id"]) is None:
        why = json.loads(event["data"])["code"]
        print(f"{event['subject']}: {NEWS[event['type']]}" + (f" ({why})" if why else ""), flush=True)
        bus.zadd(SENT, {event["id"]: time.time()})


def read(entries_from: str) -> bool:
    """Handle one batch, entry by entry; whether there was any."""
    answer = bus.xreadgroup(GROUP, "notifier-1", {STREAM: entries_from}, count=100, block=1_000) or []
    entries = [entry for _, batch in answer for entry in batch]
    for entry_id, event in entries:
        if event:  # Nothing of it is left where it was trimmed while it was pending.
            notify(event)
        bus.xack(STREAM, GROUP, entry_id)
    bus.zremrangebyscore(SENT, 0, time.time() - 8 * 86_400)
    return bool(entries)


def make_group() -> None:
    """At the beginning: with all that the stream still has, for a group that was lost as for a new one."""
    try:
        bus.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
    except redis.ResponseError as error:
        if "BUSYGROUP" not in str(error):
            raise


if "--from-beginning" in sys.argv:
    make_group()
    bus.xgroup_setid(STREAM, GROUP, "0")
    bus.delete(SENT)

unsettled = True  # What was read before a crash and not settled comes first.
while True:
    try:
        unsettled = read("0" if unsettled else ">") and unsettled
    except redis.ResponseError as error:
        if "NOGROUP" not in str(error) and "UNBLOCKED" not in str(error):
            raise
        make_group()
    except redis.ConnectionError:
        unsettled = True  # The client has tried again for seconds before it says so.

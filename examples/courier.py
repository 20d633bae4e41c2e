"""A participant with nothing but a Redis client. Run it with `python examples/courier.py redis://127.0.0.1:6379`.

Its memory is a Redis hash, so that it fits on a page; one that handles money keeps it in its database, in one
transaction with the effect. docs/wire-protocol.md says what the three duties below are for.
"""

import json
import sys

import redis

STREAM, GROUP = "saga.commands.courier", "courier"
bus = redis.Redis.from_url(sys.argv[1], decode_responses=True)


def answer(kind: str, data: dict) -> tuple[str, dict]:
    """What the courier says to a command that it sees for the first time."""
    match kind:
        case "courier.book-courier" if data["weight_g"] > 20_000:
            return "rejected", {"code": "too-heavy"}
        case "courier.book-courier":
            return "succeeded", {"booking": f"for {data['address']}"}
        case "courier.hand-over" if "nobody" in data["booking"]:
            return "rejected", {"code": "nobody-there"}
        case _:
            return "succeeded", {}


def handle(command: dict) -> list:
    """The outcome and data of a command: a repeat gets the same, and a late action after its undoing is refused."""
    known, undone = bus.hget("courier", command["id"]), command.get("undoes")
    if known is None:
        outcome, data = answer(command["type"], json.loads(command["data"]))
        if undone and not bus.hsetnx("courier", undone, json.dumps(["rejected", {"code": "undone"}])):
            done = json.loads(bus.hget("courier", undone))
            if command["type"] == "courier.revoke" and done[0] == "succeeded":
                outcome, data = "rejected", done[1]
        bus.hsetnx("courier", command["id"], json.dumps([outcome, data]))
        known = bus.hget("courier", command["id"])
    return json.loads(known)


while True:
    for _, entries in bus.xreadgroup(GROUP, "courier-1", {STREAM: ">"}, block=1000) or []:
        for entry_id, command in entries:
            outcome, data = handle(command)
            reply = {"causationid": command["id"], "outcome": outcome, "data": json.dumps(data)}
            bus.xadd(command["replyto"], {**reply, "attempt": command["attempt"]})
            bus.xack(STREAM, GROUP, entry_id)

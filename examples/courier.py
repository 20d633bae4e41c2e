"""A participant with a Redis client and SQLite, nothing of this project.

Run it with `python examples/courier.py redis://127.0.0.1:6379 courier.db`. docs/wire-protocol.md says what the three
duties are for. What it has done and what it has answered are in one database, and written in one transaction.
"""

import json
import sqlite3
import sys
import time

import redis

STREAM, GROUP, ME = "saga.commands.courier", "courier", "courier-1"
bus = redis.Redis.from_url(sys.argv[1], decode_responses=True, encoding_errors="backslashreplace")
db = sqlite3.connect(sys.argv[2], isolation_level=None)
db.execute("CREATE TABLE IF NOT EXISTS inbox (id TEXT PRIMARY KEY, outcome TEXT NOT NULL, data TEXT NOT NULL)")
db.execute("CREATE TABLE IF NOT EXISTS bookings (saga TEXT PRIMARY KEY, address TEXT NOT NULL)")


def execute(command: dict) -> tuple[str, dict]:
    """What a courier does. A no must be said before anything is written."""
    data = json.loads(command["data"])
    match command["type"]:
        case "courier.book-courier" if data["weight_g"] > 20_000:
            return "rejected", {"code": "too-heavy"}
        case "courier.book-courier":
            db.execute("INSERT INTO bookings VALUES (?, ?)", (saga(command), data["address"]))
            return "succeeded", {"booking": f"for {data['address']}"}
        case "courier.cancel-courier":
            db.execute("DELETE FROM bookings WHERE saga = ?", (saga(command),))
            return "succeeded", {}
        case "courier.hand-over" if "nobody" in data["booking"]:
            return "rejected", {"code": "nobody-there"}
        case "courier.hand-over":
            return "succeeded", {}
        case unknown:
            raise ValueError(f"unknown command {unknown}")


def settle(command: dict) -> tuple[str, dict]:
    """The three duties: a repeat gets the same, nothing done is nothing undone, and a late action is refused."""
    known = stored(command["id"])
    if not known:
        known = undo(command) if command.get("undoes") else execute(command)
        store(command["id"], *known)
    return known


def undo(command: dict) -> tuple[str, dict]:
    """A compensation or a revoke: both must know whether the action took effect, and keep it from coming later."""
    action = stored(command["undoes"])
    if action is None:
        store(command["undoes"], "rejected", {"code": "compensated"})
    took_effect = action is not None and action[0] == "succeeded"
    if command["type"] == "courier.revoke":
        return ("rejected", action[1]) if took_effect else ("succeeded", {})
    return execute(command) if took_effect else ("succeeded", {})


def saga(command: dict) -> str:
    """The saga's id."""
    return command.get("subject") or command.get("undoes", command["id"]).split("/")[0]


def stored(command_id: str) -> tuple[str, dict] | None:
    """The answer that was given to a command."""
    row = db.execute("SELECT outcome, data FROM inbox WHERE id = ?", (command_id,)).fetchone()
    return None if row is None else (row[0], json.loads(row[1]))


def store(command_id: str, outcome: str, data: dict) -> None:
    """Remember an answer. Never over another one."""
    db.execute("INSERT INTO inbox VALUES (?, ?, ?)", (command_id, outcome, json.dumps(data)))


def handle(command: dict) -> tuple[str, dict]:
    """All of it in one transaction; after an error nothing is stored, and the orchestrator asks again."""
    db.execute("BEGIN IMMEDIATE")
    try:
        answer = settle(command)
        db.execute("COMMIT")
    except Exception as error:  # noqa: BLE001 - whatever it is: it is this command's answer, and ends nothing else
        db.execute("ROLLBACK")
        return "failed", {"code": "internal", "detail": f"{type(error).__name__}: {error}"}
    return answer


def answer(entry_id: str, command: dict) -> None:
    """Reply first; only when that is on its stream, acknowledge."""
    outcome, data = handle(command)
    copied = {"attempt": "1", **{name: command[name] for name in ("attempt", "traceparent") if name in command}}
    try:
        if command.get("id") and command.get("replyto"):
            reply = {"causationid": command["id"], "outcome": outcome, "data": json.dumps(data), **copied}
            bus.xadd(command["replyto"], reply)
        bus.xack(STREAM, GROUP, entry_id)
    except redis.RedisError as error:
        print(error)  # It is not acknowledged, so it comes again.


def make_group() -> None:
    """At 0, or what is waiting already would never be read."""
    try:
        bus.xgroup_create(STREAM, GROUP, "0", mkstream=True)
    except redis.ResponseError as error:
        if "BUSYGROUP" not in str(error):
            raise


make_group()
while True:
    try:
        # From "0": what this process had in hand when it died or stumbled. From ">": what nobody has had.
        for place in ("0", ">"):
            for _, entries in bus.xreadgroup(GROUP, ME, {STREAM: place}, count=100, block=1000) or []:
                for entry in entries:
                    answer(*entry)
    except redis.RedisError as error:
        print(error)
        if "NOGROUP" in str(error):
            make_group()
        else:
            time.sleep(1)

"""Whether the totals add up, told from the ledgers and the saga documents alone.

It imports nothing of the orchestrator or the participants: a mistake there must not hide itself here.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

from pymongo import MongoClient

Row = dict[str, Any]

LEDGERS = ("inventory", "payment", "orders")
BALANCES = {"inventory": ("products", "available"), "payment": ("accounts", "balance")}


def violations(mongo_url: str, accepted: Iterable[str], prefix: str = "saga_") -> list[str]:
    """Everything that is wrong with the accepted sagas and with the balances, in words."""
    client: MongoClient[Row] = MongoClient(mongo_url)
    try:
        statuses = {row["_id"]: row["status"] for row in client[f"{prefix}orchestrator"].sagas.find({}, {"status": 1})}
        rows = [row for name in LEDGERS for row in client[f"{prefix}{name}"].ledger.find({"kind": {"$ne": "opening"}})]
        found = [problem for name in BALANCES for problem in _unbalanced(client, prefix, name)]
    finally:
        client.close()
    by_saga: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_saga[row["saga_id"]].append(row)
    found += [f"{saga_id} has a ledger row but is no saga" for saga_id in by_saga.keys() - statuses.keys()]
    for saga_id in accepted:
        found += _story(saga_id, statuses.get(saga_id), by_saga[saga_id])
    return found


def _story(saga_id: str, status: str | None, rows: list[Row]) -> list[str]:
    effects = Counter((row["step"], row["kind"], row["key"]) for row in rows)
    found = [f"{saga_id}: {effect} happened {times} times" for effect, times in effects.items() if times > 1]
    steps = {row["step"] for row in rows}
    match status:
        case "completed":
            found += [
                f"{saga_id} is completed, but {row['step']} was undone" for row in rows if row["kind"] != "action"
            ]
            if steps != {"reserve-stock", "charge-payment", "confirm"}:
                found.append(f"{saga_id} is completed with the effects of {sorted(steps)} only")
        case "compensated":
            net: Counter[tuple[str, str]] = Counter()
            for row in rows:
                net[row["step"], row["key"]] += row["amount"]
            found += [f"{saga_id} is compensated, but {key} is left at {left}" for key, left in net.items() if left]
        case None:
            found.append(f"{saga_id} was accepted and is gone")
        case _:
            found.append(f"{saga_id} has not ended: {status}")
    return found


def _unbalanced(client: MongoClient[Row], prefix: str, name: str) -> list[str]:
    collection, field = BALANCES[name]
    database = client[f"{prefix}{name}"]
    sums = database.ledger.aggregate([{"$group": {"_id": "$key", "sum": {"$sum": "$amount"}}}])
    ledger = {row["_id"]: row["sum"] for row in sums}
    balances = {row["_id"]: row[field] for row in database[collection].find()}
    wrong = {key: (ledger.get(key, 0), balances.get(key, 0)) for key in ledger.keys() | balances.keys()}
    return [
        f"{name}: {key} has {balance}, its ledger says {total}"
        for key, (total, balance) in wrong.items()
        if total != balance
    ]

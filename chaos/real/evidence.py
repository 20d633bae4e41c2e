"""Reads what a real run has left behind: MongoDB's collections, the load generator's log, the services' logs."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from adapters.mongo import Document, Mongo, translating
from chaos.evidence import Evidence, Request
from chaos.real.ledger import BALANCES, OUTSIDE
from chaos.sim.run import BUGS
from participants.inventory import PRODUCTS
from participants.ledger import LEDGER, OPENING
from participants.payment import ACCOUNTS
from sagas import Saga

_BALANCES = {"inventory": (PRODUCTS.collection, PRODUCTS.field), "payment": (ACCOUNTS.collection, ACCOUNTS.field)}
_STAND_IN = (BALANCES, "balance")
PREFIX = "saga_"
_ROW = ("saga_id", "step", "kind", "key", "amount", "at")
_STATUSES = ("running", "compensating", "stuck", "completed", "compensated")


async def read(mongo: Mongo, sagas: Sequence[Saga], requests: Sequence[Request], bugs: Sequence[str]) -> Evidence:
    """Everything, as a majority of MongoDB has it."""
    names = sorted({endpoint.participant for saga in sagas for endpoint in _endpoints(saga)})
    ledgers = {name: await _all(mongo.database(f"{PREFIX}{name}")[LEDGER]) for name in names}
    told = [{**row, "participant": name} for name, ledger in ledgers.items() for row in ledger]
    rows = [row for row in told if not _lacks(row)]
    effects = sorted((row for row in rows if row["kind"] != OPENING), key=lambda row: row["at"])
    openings: Counter[tuple[str, str]] = Counter()
    for row in rows:
        if row["kind"] == OPENING:
            openings[row["participant"], row["key"]] += row["amount"]
    balances = {key: value for name in names for key, value in (await _balances(mongo, name, effects)).items()}
    return Evidence(
        definitions=[saga.to_json() for saga in sagas],
        sagas=await _all(mongo.database(f"{PREFIX}orchestrator")["sagas"]),
        ledger=effects,
        balances=balances,
        openings=openings,
        requests=requests,
        bugs=[*bugs, *dict.fromkeys(_incomplete(row) for row in told if _lacks(row))],
    )


def _lacks(row: Document) -> list[str]:
    """What a participant of the user's has not written into a row of its ledger."""
    needed = _ROW if row.get("kind") != OPENING else ("kind", "key", "amount")
    return [name for name in needed if name not in row]


def _incomplete(row: Document) -> str:
    return f"a row in the ledger of {row['participant']} has no {', no '.join(_lacks(row))}: each has {', '.join(_ROW)}"


async def unfinished(mongo: Mongo) -> int:
    """How many sagas have not ended."""
    sagas = mongo.database(f"{PREFIX}orchestrator")["sagas"]
    with translating():
        return int(await sagas.count_documents({"status": {"$nin": ["completed", "compensated"]}}))


async def statuses(mongo: Mongo) -> dict[str, int]:
    """How many sagas there are in each status. Asks the index alone."""
    sagas = mongo.database(f"{PREFIX}orchestrator")["sagas"]
    with translating():
        return {status: int(await sagas.count_documents({"status": status})) for status in _STATUSES}


async def stuck(mongo: Mongo) -> list[str]:
    """The ids of sagas that wait for a person."""
    sagas = mongo.database(f"{PREFIX}orchestrator")["sagas"]
    return [document["_id"] for document in await _all(sagas, {"status": "stuck"})]


def _endpoints(saga: Saga) -> Iterator[Any]:
    for step in saga.steps:
        yield step.endpoint
        if step.undo is not None:
            yield step.undo.endpoint


async def _all(collection: Any, query: Mapping[str, Any] | None = None) -> list[Document]:
    with translating():
        return list(await collection.find(query or {}).to_list(None))


async def _balances(mongo: Mongo, name: str, effects: Sequence[Document]) -> dict[tuple[str, str], int]:
    """By key. A participant of the user's that keeps no balances where we look is taken at its ledger's word."""
    database = mongo.database(f"{PREFIX}{name}")
    told = [row for row in effects if row["participant"] == name]
    outside = _sums(row for row in told if row.get(OUTSIDE))  # No balance of ours knows of these.
    if name == "orders":  # It sums nothing up, and has a document for each order.
        outside.update((name, document["order_id"]) for document in await _all(database["orders"]))
        return outside
    collection, field = _BALANCES.get(name, _STAND_IN)
    found = Counter({(name, document["_id"]): document[field] for document in await _all(database[collection])})
    if not found:
        return _sums(told)
    found.update(outside)
    return found


def _sums(rows: Iterable[Document]) -> Counter[tuple[str, str]]:
    sums: Counter[tuple[str, str]] = Counter()
    for row in rows:
        sums[row["participant"], row["key"]] += row["amount"]
    return sums


def requests(log: Path, saga: str) -> list[Request]:
    """What the clients have asked for, and were told."""
    asked: dict[str, None] = {}
    answers: defaultdict[str, list[str]] = defaultdict(list)
    for line in _lines(log):
        asked[line["id"]] = None
        if line.get("answered") == "start" and line["status"] is not None and 200 <= line["status"] < 300:
            answers[line["id"]].append(line["named"])
    return [Request(saga_id, saga, bool(answers[saga_id]), tuple(answers[saga_id])) for saga_id in asked]


def logged(logs: Sequence[Path]) -> Counter[str]:
    """How often the services said what, of what is no mere information."""
    return Counter(line.get("event", "?") for log in logs for line in _lines(log) if line.get("level") != "info")


def bugs(logs: Sequence[Path]) -> list[str]:
    """What was logged that only a mistake in the code causes, and what is no log line at all."""
    return [f"{log.stem}: {line['event']}" for log in logs for line in _lines(log) if line.get("event") in BUGS]


def _lines(log: Path) -> Iterator[dict[str, Any]]:
    """The lines that are whole: a process that is killed may leave half a line."""
    if not log.exists():
        return
    for line in log.read_text(errors="replace").splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            continue

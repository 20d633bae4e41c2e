"""Keeps what a run leaves behind in which something did not hold: for whoever wants to know why, days later.

`violations.txt` is to be read, the rest to be searched: one JSON document a line, and what every process has said.
"""

import json
import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from chaos.evidence import Evidence, Json, Violation
from chaos.sim.nemesis import Event
from chaos.story import story

VIOLATIONS = "violations.txt"
_MOST_TOLD = 20  #: sagas whose whole story is in the text


def keep(run: str, violations: Sequence[Violation], trace: Sequence[Event], evidence: Evidence, to: Path) -> None:
    """Write it all into a directory; `run` says what was run."""
    to.mkdir(parents=True, exist_ok=True)
    (to / VIOLATIONS).write_text("\n".join(_text(run, violations, trace, evidence)) + "\n")
    _lines(to / "sagas.jsonl", evidence.sagas)
    _lines(to / "ledger.jsonl", evidence.ledger)
    _lines(to / "requests.jsonl", map(asdict, evidence.requests))
    _lines(to / "strikes.jsonl", map(Event._asdict, trace))
    balances = [
        {"participant": name, "key": key, "opening": evidence.openings.get((name, key), 0), "balance": balance}
        for (name, key), balance in evidence.balances.items()
    ]
    _lines(to / "balances.jsonl", balances)


def keep_logs(directory: Path, to: Path) -> None:
    """Copy what the processes and servers of the run in that directory have said."""
    to.mkdir(parents=True, exist_ok=True)
    for log in [*directory.glob("*.log"), *directory.glob("*/*.log"), *directory.glob("load.err")]:
        shutil.copy(log, to / "-".join(log.relative_to(directory).parts))


def _text(run: str, violations: Sequence[Violation], trace: Sequence[Event], evidence: Evidence) -> Iterator[str]:
    yield run
    yield ""
    yield from map(str, violations)
    concerned = list(dict.fromkeys(one.saga_id for one in violations if one.saga_id))
    documents = {saga["_id"]: saga for saga in evidence.sagas}
    rows: defaultdict[str, list[Json]] = defaultdict(list)
    for row in evidence.ledger:
        rows[row["saga_id"]].append(row)
    for saga_id in concerned[:_MOST_TOLD]:
        yield ""
        yield story(saga_id, trace, documents.get(saga_id))
        yield from (f"  history {_json(entry)}" for entry in documents.get(saga_id, {}).get("history", ()))
        yield from (f"  ledger  {_json(row)}" for row in rows[saga_id])
    if len(concerned) > _MOST_TOLD:
        yield f"\n… and {len(concerned) - _MOST_TOLD} more sagas; the other files have them."


def _lines(file: Path, documents: Iterable[Json]) -> None:
    with file.open("w") as lines:
        lines.writelines(f"{_json(document)}\n" for document in documents)


def _json(document: Any) -> str:
    return json.dumps(document, default=str)

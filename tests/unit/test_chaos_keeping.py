"""What a real run leaves behind in which something did not hold."""

import json
from dataclasses import replace
from pathlib import Path

from chaos.checker import check
from chaos.evidence import Evidence
from chaos.real.keeping import keep, keep_logs
from chaos.sim.nemesis import Event
from chaos.sim.run import run
from chaos.sim.world import Setup
from sagas.order import order


def twice_done() -> tuple[Evidence, str]:
    """A run in which an effect happened twice, and to which saga."""
    evidence = run(Setup(saga=order, sagas=2), seed=0).evidence
    return replace(evidence, ledger=[*evidence.ledger, evidence.ledger[0]]), evidence.ledger[0]["saga_id"]


def test_the_text_says_what_did_not_hold_and_what_happened_to_that_saga(tmp_path: Path) -> None:
    evidence, saga_id = twice_done()
    violations = check(evidence)
    struck = Event(1.5, "inventory-1", "kill after participant commit", f"{saga_id}/reserve-stock/action")

    keep("orders, seed 7", violations, [struck], evidence, tmp_path / "record")

    text = (tmp_path / "record" / "violations.txt").read_text()
    assert text.startswith("orders, seed 7\n")
    for violation in violations:
        assert f"{violation}\n" in text
    assert "inventory-1: kill after participant commit" in text
    assert text.count("  ledger  ") == 4  # One of the three is there twice.
    assert '"revision": 1' in text


def test_everything_else_can_be_searched(tmp_path: Path) -> None:
    evidence, saga_id = twice_done()

    keep("orders, seed 7", [], [], evidence, tmp_path)

    found = {file.name: file.read_text().splitlines() for file in tmp_path.glob("*.jsonl")}
    assert {name: len(lines) for name, lines in found.items()} == {
        "sagas.jsonl": 2,
        "ledger.jsonl": 7,
        "requests.jsonl": 2,
        "strikes.jsonl": 0,
        "balances.jsonl": len(evidence.balances),
    }
    assert saga_id in [json.loads(line)["_id"] for line in found["sagas.jsonl"]]


def test_logs_of_services_servers_and_clients_are_kept(tmp_path: Path) -> None:
    for name in ("orchestrator-1.log", "redis/valkey.log", "load.err", "redis/data/appendonly.aof"):
        (tmp_path / "run" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "run" / name).write_text(name)

    keep_logs(tmp_path / "run", tmp_path / "kept")

    assert {file.name for file in (tmp_path / "kept").iterdir()} == {
        "orchestrator-1.log",
        "redis-valkey.log",
        "load.err",
    }

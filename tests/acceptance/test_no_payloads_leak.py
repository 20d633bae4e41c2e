"""What clients send stays in the databases: no log line, span, metric or problem shows any of it.

Values that nobody else has are sent in every field, through success, refusal, failure and whatever else goes wrong.
"""

from pathlib import Path
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from support.commandline import CommandLine
from support.traces import collecting
from support.waiting import eventually

SAGA = """
from sagas import Command, Endpoint, Reply, Retry, Saga, SagaData, SagaInput, step, undo

class Visit(SagaInput):
    name: str
    email: str
    age: int
    tags: list[str]
    mode: str

class VisitData(SagaData):
    name: str
    email: str
    age: int
    tags: list[str]
    mode: str
    badge: str | None = None

class Admit(Command):
    name: str
    email: str
    age: int
    tags: list[str]
    mode: str

class Admitted(Reply):
    badge: str

class Dismiss(Command): ...
class Dismissed(Reply): ...
class Print(Command):
    badge: str
    mode: str
class Printed(Reply): ...

ADMIT, DISMISS = Endpoint("door", Admit, Admitted), Endpoint("door", Dismiss, Dismissed)
PRINT = Endpoint("door", Print, Printed)

def printing(data: VisitData) -> Print:
    if data.mode == "broken-definition":
        raise ValueError(f"no badge for {data.email}, {data.name}")
    return Print(badge=data.badge or "", mode=data.mode)

visit = Saga("visit", version=1, input=Visit, data=VisitData, steps=[
    step("admit", ADMIT, undo=undo(DISMISS, retry=Retry(attempts=1))), step("print", PRINT, printing),
])
"""

DOOR = """
from collections.abc import Sequence
from canary import ADMIT, DISMISS, PRINT, Admit, Admitted, Dismiss, Dismissed, Print, Printed
from participants import BatchTransaction, Participant, Transaction
from sagas import Reject

door = Participant("door")

@door.handles(ADMIT, batch=True)
async def admit(commands: Sequence[Admit], tx: BatchTransaction) -> Sequence[Admitted | Reject]:
    for command in commands:
        if command.mode == "crash":
            raise RuntimeError(f"{command.name} {command.email} {command.age} {command.tags}")
    return [
        Reject("banned", f"{one.name} {one.email}") if one.mode == "refuse" else Admitted(badge=one.email)
        for one in commands
    ]

@door.handles(DISMISS)
async def dismiss(command: Dismiss, tx: Transaction) -> Dismissed:
    admitted = tx.action.of(ADMIT).command
    if admitted.mode == "stuck":
        raise Reject("never", admitted.email)
    return Dismissed()

@door.handles(PRINT)
async def print_badge(command: Print, tx: Transaction) -> Printed:
    if command.mode in ("undo", "stuck"):
        raise Reject("no-paper", command.badge)
    return Printed()
"""

MODES = ("fine", "refuse", "crash", "undo", "stuck", "broken-definition")


class Canaries:
    """Values that are found wherever they get to."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    def next(self) -> str:
        """A new one."""
        self.sent.append(f"c4n4ry{len(self.sent):03}z")
        return self.sent[-1]

    def visit(self, mode: str) -> dict[str, object]:
        """What a client sends."""
        self.sent.append(f"7{len(self.sent):03}3133773")
        return {
            "name": self.next(),
            "email": f"{self.next()}@example.com",
            "age": int(self.sent[-3]),
            "tags": [self.next(), f"{self.next()}\n2026 forged"],
            "mode": mode,
        }

    def found_in(self, text: str) -> list[str]:
        """Those that got there."""
        return [canary for canary in self.sent if canary in text]


def malformed(canaries: Canaries) -> list[dict[str, Any]]:
    """Requests that are refused, each for another reason."""
    good = canaries.visit("fine")
    as_json = {"Content-Type": "application/json"}
    return [
        {"json": {"saga": "visit", "data": {**good, "age": canaries.next()}}},
        {"json": {"saga": "visit", "data": {**good, "tags": canaries.next()}}},
        {"json": {"saga": "visit", "data": {**good, "extra": canaries.next()}}},
        {"json": {"saga": canaries.next(), "data": good}},
        {"json": {"saga": "visit", "data": {**good, "name": f"{canaries.next()}\0"}}},
        {"json": {"saga": "visit", "id": f"{canaries.next()} {canaries.next()}", "data": good}},
        {"content": f'{{"saga": "visit", "data": {{"name": "{canaries.next()}"', "headers": as_json},
        {"content": f'"{canaries.next()}"', "headers": as_json},
        {"content": canaries.next(), "headers": {"Content-Type": f"text/{canaries.next()}"}},
        {
            "json": {"saga": "visit", "data": good},
            "headers": {"Idempotency-Key": f'"{canaries.next()}" {canaries.next()}'},
        },
        {
            "json": {"saga": "visit", "data": good},
            "headers": {"X-Request-Id": f"{canaries.next()} /", "Prefer": "wait=x"},
        },
    ]


@pytest.mark.timeout(180)
async def test_nothing_that_was_sent_is_logged_traced_counted_or_shown_in_a_problem(server_directory: Path) -> None:
    (server_directory / "canary.py").write_text(SAGA)
    (server_directory / "door.py").write_text(DOOR)
    canaries, shown = Canaries(), []
    with collecting() as collector:
        line = CommandLine(server_directory)
        line.environment |= {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
        line.environment |= {"SAGA_ACCESS_LOG": "true"}
        up = ("up", "--saga", "canary", "--participant", "door:door", "--port", "0")
        with line.running(*up) as running:
            await running.is_up()
            url = line.service()["url"]
            async with httpx.AsyncClient(base_url=url, timeout=20) as client:
                sagas = await _start(client, canaries)
                refused = [await client.post("/v1/sagas", **one) for one in malformed(canaries)]
                shown += [answer.text for answer in refused if answer.status_code >= 400]
                shown += await _operate(client, canaries, sagas)
                shown += await _foreign(line, canaries, client)
                shown.append((await client.get("/metrics")).text)
                await eventually(lambda: len(collector.traces.named("saga visit")) >= 4, within_s=30)
            assert running.end() == 0
        logs = running.said
    for event in ("saga-stuck", "command-failed", "batch-aborted", "entry-dead", "request-answered", "audit"):
        assert event in logs, event
    assert len(canaries.sent) > 40
    assert not canaries.found_in(logs)
    assert not canaries.found_in(str(collector.traces.spans))
    assert not canaries.found_in("\n".join(shown))


async def _start(client: httpx.AsyncClient, canaries: Canaries) -> dict[str, str]:
    """One saga of each kind, each as far as it comes by itself; ids by mode."""
    ids = {}
    for mode in MODES:
        body = {"saga": "visit", "data": canaries.visit(mode)}
        ids[mode] = (await client.post("/v1/sagas", json=body)).json()["id"]
    wanted = {"fine": "completed", "refuse": "compensated", "undo": "compensated", "broken-definition": "compensated"}
    wanted["stuck"] = "stuck"

    async def come_that_far() -> bool:
        found = {mode: (await client.get(f"/v1/sagas/{ids[mode]}")).json()["status"] for mode in wanted}
        return found == wanted

    await eventually(come_that_far, within_s=30)
    return ids


async def _operate(client: httpx.AsyncClient, canaries: Canaries, sagas: dict[str, str]) -> list[str]:
    """Whatever a person may ask for, with reasons; what was refused."""
    answers = []
    for action in ("cancel", "retry", "skip", "abort"):
        for mode in ("fine", "crash", "stuck"):
            body = {"reason": canaries.next()} | ({"data": {"badge": canaries.next()}} if action == "skip" else {})
            answers.append(await client.post(f"/v1/sagas/{sagas[mode]}/{action}", json=body))
    return [answer.text for answer in answers if answer.status_code >= 400]


async def _foreign(line: CommandLine, canaries: Canaries, client: httpx.AsyncClient) -> list[str]:
    """What another program may put on the streams; what the list of dead letters says of it."""
    redis = Redis(port=line.told("redis/state.json")["port"])
    for stream in ("saga.commands.door", "saga.replies"):
        await redis.xadd(stream, {"id": "x/y/action", "data": f"{{{canaries.next()}", "type": "door.admit"})
        await redis.xadd(stream, {"causationid": "x/y/action", "outcome": canaries.next(), "data": "{}"})
        await redis.xadd(stream, {canaries.next(): canaries.next()})
    await redis.aclose()

    async def listed() -> bool:
        return len((await client.get("/v1/dead-letters")).json()["items"]) >= 6

    await eventually(listed, within_s=30)
    return []

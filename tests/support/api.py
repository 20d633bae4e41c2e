"""The HTTP application over in-memory twins, with a real engine: every promise of the API without a server."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import httpx

from adapters.bus import Ack, Delivery, Entry, Subscription, Verdict
from adapters.clock import SystemClock
from adapters.memory_bus import MemoryBus
from adapters.streams.envelope import decode_command, encode_reply
from adapters.streams.names import ORCHESTRATOR_GROUP, Streams
from orchestrator.admission import Admission
from orchestrator.announcer import Announcer
from orchestrator.api.application import Application
from orchestrator.api.auditing import Auditor
from orchestrator.api.guard import Limits
from orchestrator.api.services import Services
from orchestrator.audit import MemoryAuditLog
from orchestrator.engine import Engine
from orchestrator.listeners import Listeners
from orchestrator.memory_dead_letters import MemoryDeadLetters
from orchestrator.memory_store import MemorySagaStore
from orchestrator.redriving import Redriver
from orchestrator.replies import ReplyHandler
from orchestrator.starting import Starter
from sagas import Definitions, Saga
from sagas.messages import Outcome, ReplyMessage
from sagas.order import order
from support.orders import ANSWERS

Json = dict[str, Any]

DATA: Json = {"customer_id": "alice", "items": [{"product_id": "boots", "quantity": 1}]}
BODY: Json = {"saga": "order", "data": DATA}


class Api:
    """The application, its twins, and a client. Participants answer only once `answering` was called."""

    def __init__(
        self,
        *,
        store: MemorySagaStore | None = None,
        bus: MemoryBus | None = None,
        audit: MemoryAuditLog | None = None,
        sagas: Sequence[Saga] = (order,),
        max_active: int = 1_000,
        **given: Any,
    ) -> None:
        clock, streams = SystemClock(), Streams()
        self.store = store or MemorySagaStore()
        self.bus = bus or MemoryBus(clock, retry_s=0.02)
        self.engine = Engine(Definitions(sagas), self.store, Announcer(self.bus, streams, clock), clock)
        self.bus.subscribe(Subscription(streams.replies, ORCHESTRATOR_GROUP, ReplyHandler(self.engine)))
        self.starter = Starter(self.engine, limit=given.pop("max_starting", 1_000))
        self.admission = Admission(self.store, clock, limit=max_active)
        self.letters = MemoryDeadLetters(clock)
        self.audit = audit or MemoryAuditLog()
        self.listeners = given.pop("listeners", None) or Listeners(self.store.changes, clock)
        numbers = count(1)
        self.services = Services(
            engine=self.engine,
            bus=self.bus,
            starter=self.starter,
            admission=self.admission,
            dead_letters=self.letters,
            redriver=Redriver(self.bus, streams, given.pop("start_events", {})),
            listeners=self.listeners,
            auditor=Auditor(self.audit, clock, lambda: f"audit-{next(numbers)}"),
            new_id=lambda: f"id-{next(numbers)}",
            limits=given.pop("limits", Limits()),
            **given,
        )
        self.app = Application(self.services)
        self.client = client_of(self.app)

    def answering(self, **rejected: str) -> None:
        """Let participants do every step, but reject those named, with a code: `charge_payment="declined"`."""
        codes = {name.replace("_", "-"): code for name, code in rejected.items()}
        for participant in ("inventory", "payment", "orders"):
            stream = self.bus.streams.commands(participant)
            self.bus.subscribe(Subscription(stream, participant, _Answers(participant, codes)))
        self.bus.server.wake()

    async def start(self, headers: Mapping[str, str] | None = None, **fields: Any) -> httpx.Response:
        """POST a pair of boots; `fields` replace or add fields of the body."""
        return await self.client.post("/v1/sagas", json=BODY | fields, headers=headers)

    async def send(
        self, body: bytes, path: str = "/v1/sagas", content_type: str = "application/json"
    ) -> httpx.Response:
        """POST these very bytes."""
        return await self.client.post(path, content=body, headers={"Content-Type": content_type})


class _Answers:
    """A participant that does what it is asked to, or rejects it."""

    def __init__(self, participant: str, codes: Mapping[str, str]) -> None:
        self._participant, self._codes = participant, codes

    async def __call__(self, deliveries: Sequence[Delivery]) -> Sequence[Verdict]:
        return [self._answer(delivery) for delivery in deliveries]

    def _answer(self, delivery: Delivery) -> Verdict:
        command = decode_command(delivery.fields, self._participant)
        code = self._codes.get(command.step) if command.undoes is None else None
        outcome = Outcome.SUCCEEDED if code is None else Outcome.REJECTED
        data = {"code": code, "detail": "no"} if code else ({} if command.undoes else ANSWERS[command.step])
        reply = ReplyMessage(command.id, outcome, data, command.attempt, type=f"{command.type}.{outcome.value}")
        return Ack((Entry(command.reply_to, encode_reply(reply)),))


def client_of(app: Application) -> httpx.AsyncClient:
    """A client in the same loop. An exception that the application lets through fails the test."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://saga")


@asynccontextmanager
async def running(api: Api) -> AsyncIterator[Api]:
    """With the bus delivering."""
    await api.bus.start()
    try:
        yield api
    finally:
        await api.starter.stop()
        await api.bus.stop()
        await api.listeners.stop()
        await api.client.aclose()


def problem(response: httpx.Response, slug: str, status: int) -> Json:
    """The answer, which must be this problem and hold nothing that it must not."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    found: Json = response.json()
    assert (found["type"], found["status"]) == (f"/problems/{slug}", status)
    assert found["title"]
    assert found["detail"]
    for internal in ("Traceback", 'File "', "pymongo", "redis://", "/usr/", "mongodb://", "0x"):
        assert internal not in response.text
    return found


def pointers(response: httpx.Response) -> list[str]:
    """Where the faults are."""
    return [error["pointer"] for error in json.loads(response.content)["errors"]]

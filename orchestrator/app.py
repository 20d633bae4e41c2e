"""The orchestrator's composition root: the one place here that makes connections, the machine's clock and randomness.

python -m orchestrator.app
"""

import asyncio
import sys
from collections.abc import Callable, Coroutine, Sequence
from random import SystemRandom
from typing import Any

import structlog
import uuid_utils

from adapters import logs
from adapters.clock import Clock, SystemClock
from adapters.errors import Unavailable
from adapters.mongo import Mongo
from adapters.process import run, stopping_on_signals
from adapters.streams.redis_bus import RedisBus
from adapters.streams.settings import StreamSettings
from adapters.tasks import end
from adapters.tracing.configuration import tracing
from adapters.tracing.port import Tracer, Untraced
from orchestrator import dead_commands, start_events
from orchestrator.admission import Admission, backlog_of
from orchestrator.announcer import Announcer
from orchestrator.api.application import Application
from orchestrator.api.auditing import Auditor
from orchestrator.api.guard import Limits
from orchestrator.api.rates import Rates
from orchestrator.api.services import Services
from orchestrator.audit import MongoAuditLog
from orchestrator.dead_letters import DeadLetters
from orchestrator.engine import Engine
from orchestrator.in_flight import ChangedDefinition, check_in_flight
from orchestrator.listeners import Listeners
from orchestrator.metrics.census import MongoCensus
from orchestrator.metrics.exposition import Exposition
from orchestrator.metrics.recorder import Recorder
from orchestrator.metrics.sampler import Sampler, Sources, watched
from orchestrator.mongo_changes import MongoChangeFeed
from orchestrator.observer import Observers
from orchestrator.places import MongoPlaces
from orchestrator.redriving import Redriver
from orchestrator.replica import Replica
from orchestrator.retention import SagaRetention
from orchestrator.saga_log import SagaLog
from orchestrator.serving import HttpServer, serve_until
from orchestrator.settings import InvalidSettings, Settings
from orchestrator.starting import Starter
from orchestrator.store import MongoSagaStore
from orchestrator.sweeper import Sweeper
from orchestrator.tracing import SagaSpans
from sagas import Definitions

log = structlog.get_logger(__name__)

RETRY_PREPARING_S = 1.0
WAITING = "waiting for MongoDB to begin"
SERVICE = "saga-orchestrator"  #: its name in traces


class Orchestrator:
    """Everything of one orchestrator process but its HTTP server. Make it inside a running event loop, once.

    `app` is the HTTP application, for any ASGI server. `stop` ends what `start` began; then it is not used again.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock | None = None,
        stream: StreamSettings | None = None,
        tracer: Tracer | None = None,
    ) -> None:
        """Connect to nothing yet. Raises `InvalidDefinition` where the sagas can't be loaded."""
        self.settings = settings
        self.clock = clock or SystemClock()
        definitions = Definitions.load(settings.definitions)
        rng = SystemRandom()
        self.mongo = Mongo.connect(settings.mongo_url, driver=settings.mongo_driver, app_name="saga-orchestrator")
        self.store = MongoSagaStore(self.mongo, settings.database, rng)
        self.audit = MongoAuditLog(self.mongo, settings.database, expiry_days=settings.audit_expiry_days)
        self.dead_letters = DeadLetters(
            self.mongo, settings.database, self.clock, expiry_days=settings.dead_letter_expiry_days
        )
        self.bus = RedisBus(
            settings.redis_url,
            clock=self.clock,
            rng=rng,
            streams=settings.streams,
            settings=stream or StreamSettings(max_records=settings.reply_batch, events_maxlen=settings.events_kept),
            on_dead=self.dead_letters,
        )
        self.tracer = tracer or Untraced()
        self.recorder = Recorder(definitions.names)
        self.engine = self._engine(definitions)
        self.retention = SagaRetention(self.mongo, settings, self.clock, self.recorder.purged)
        self.replica = Replica(self.engine, self.bus, self.bus.streams, reply_streams=settings.reply_streams)
        self.sampler = Sampler(self._sources())
        self._wire()
        self.app = Application(self.services)
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._tasks: list[asyncio.Task[None]] = []

    def _engine(self, definitions: Definitions) -> Engine:
        spans = [SagaSpans(self.tracer, self.bus.streams.replies)] if self.tracer.on else []
        return Engine(
            definitions,
            self.store,
            Announcer(self.bus, self.bus.streams, self.clock, self.tracer, resend_rate=self.settings.resend_rate),
            self.clock,
            cache_limit=self.settings.cache_limit,
            observer=Observers(self.recorder, SagaLog(), *spans),
            tracer=self.tracer,
        )

    def _wire(self) -> None:
        """What the engine is fed by."""
        settings, engine, bus, streams = self.settings, self.engine, self.bus, self.bus.streams
        starts = {"batch": settings.start_batch, "limit": settings.max_starting}
        self.starter = Starter(engine, gather_s=settings.start_gather_s, **starts)
        self.starter.closed = WAITING
        limits = {"limit": settings.max_active, "max_backlog": settings.max_backlog}
        backlog = backlog_of(bus.figures, streams, self._watched)
        self.admission = Admission(self.store, self.clock, backlog=backlog, **limits)
        batch, every_s, watching = settings.sweep_batch, settings.sweep_every_s, self.recorder
        self.sweeper = Sweeper(engine, bus, streams, self.replica, batch=batch, every_s=every_s, observer=watching)
        places = MongoPlaces(self.mongo, settings.database, streams.starters, self.clock)
        self.replica.subscribe()
        dead_commands.subscribe(bus, streams, engine.definitions, self.dead_letters)
        fed = (self.starter, self.admission, places, watching.start_events)
        started_by = start_events.subscribe(bus, streams, engine.definitions, *fed)
        changes = MongoChangeFeed(self.mongo, settings.database)
        self.listeners = Listeners(changes, self.clock, settings.room, watching)
        self.services = Services(
            engine=engine,
            bus=bus,
            streams=streams,
            starter=self.starter,
            admission=self.admission,
            dead_letters=self.dead_letters,
            redriver=Redriver(bus, streams, started_by),
            listeners=self.listeners,
            auditor=Auditor(self.audit, self.clock, _uuid7),
            new_id=_uuid7,
            keys=settings.key_ring,
            limits=Limits(settings.max_body_bytes, settings.receive_timeout_s, settings.max_requests),
            rates=Rates(settings.rate_limit, settings.rate_limit_total),
            max_batch=settings.max_batch,
            wait_max_s=settings.wait_max_s,
            metrics=Exposition(self.recorder, self.sampler),
            access_log=settings.access_log,
            tracer=self.tracer,
            not_ready=self._not_ready,
        )

    def _sources(self) -> Sources:
        """What is looked at for the metrics."""
        return Sources(
            sagas=self.engine.definitions.names,
            counts=self.bus.counts,
            starts_waiting=lambda: self.starter.waiting,
            streams=lambda: self.bus.figures(self._watched()),
            readers=lambda: self.bus.readers(self._watched()),
            mongodb=self.store.ping,
            census=MongoCensus(self.mongo, self.settings.database).take,
            dead_letters=self.dead_letters.waiting,
        )

    def _watched(self) -> Sequence[str]:
        return watched(self.engine.definitions, self.bus.streams, self.replica.all_streams)

    async def start(self) -> None:
        """Begin to work. Never fails because a server is away: it keeps trying, and recovers by itself.

        Raises `ChangedDefinition` if the definitions don't fit the sagas in flight. Where MongoDB only answers later,
        `failed` gets that error.
        """
        try:
            await self._prepare()
        except Unavailable as error:
            log.warning("waiting-for-mongodb", reason=str(error))
            self._run(self._prepare_later())

    async def stop(self, within_s: float | None = None) -> None:
        """Refuse new sagas, finish what is in hand, close every connection; in the given time."""
        self.services.stopping.set()
        try:
            async with asyncio.timeout(self.settings.shutdown_timeout_s if within_s is None else within_s):
                await self.starter.stop()
                await self._cancel_tasks()
                await self.replica.stop()
                await self.bus.stop()
        except TimeoutError:
            log.warning("stopped-in-a-hurry", reason="what was in hand did not end in time; others will take it over")
            await self.bus.stop(drain_s=0)  # Who read on would find MongoDB closed.
        finally:
            await self._cancel_tasks()
            self.failed.cancel()
            await self.mongo.close()

    async def _prepare(self) -> None:
        """Nothing is received or sent before it is known that the definitions fit."""
        await self.store.ping()
        await self.store.prepare()
        await self.dead_letters.prepare()
        await self.audit.prepare()
        await check_in_flight(self.store, self.engine.definitions)
        await self.admission.sample()  # Before events are read: how many depends on it.
        self.starter.closed = None
        await self.bus.start()
        self._run(self.replica.run(), self.sweeper.run(), self.admission.run())
        self._run(self.services.keys.run(self.clock), self.retention.run())
        log.info("orchestrator-started", sagas=list(self.engine.definitions.names))

    async def _prepare_later(self) -> None:
        while True:
            await self.clock.sleep(RETRY_PREPARING_S)
            try:
                return await self._prepare()
            except Unavailable:
                continue
            except Exception as error:  # noqa: BLE001 - whoever runs this process must hear of it
                self.failed.set_exception(error)
                return None

    def _run(self, *work: Coroutine[Any, Any, None]) -> None:
        self._tasks += [asyncio.create_task(each) for each in work]

    async def _cancel_tasks(self) -> None:
        await asyncio.gather(self.sampler.stop(), self.listeners.stop(), end(self._tasks), return_exceptions=True)

    def _not_ready(self) -> str | None:
        return "stopping" if self.services.stopping.is_set() else self.starter.closed


def _uuid7() -> str:
    return str(uuid_utils.uuid7())


async def serve(
    settings: Settings,
    *,
    ready: Callable[[str], None] | None = None,
    stop: asyncio.Event | None = None,
    tracer: Tracer | None = None,
    made: Callable[[Orchestrator], None] = lambda _: None,
) -> None:
    """Run an orchestrator with its HTTP server until SIGTERM, SIGINT or `stop`; returns when all has ended in order.

    `made` gets it before it starts, `ready` its URL once HTTP answers. Raises `InvalidDefinition`, `ChangedDefinition`,
    and `OSError` where the port is taken.
    """
    stop = stop or asyncio.Event()
    orchestrator = Orchestrator(settings, tracer=tracer)
    made(orchestrator)
    server = HttpServer(orchestrator.app, settings.http_host, settings.http_port, orchestrator.services.limits)
    loop = asyncio.get_running_loop()
    with stopping_on_signals(stop):
        try:
            await orchestrator.start()
            orchestrator.failed.add_done_callback(lambda _: stop.set())
            # Requests that wait for a saga's end are answered as soon as it is to stop.
            hurry = orchestrator.services.stopping.set
            await serve_until(server, stop, ready=ready, hurry=hurry, grace_s=settings.shutdown_timeout_s / 2)
        finally:
            server.close()
            begun = loop.time()
            failed = orchestrator.failed
            await orchestrator.stop(settings.shutdown_timeout_s / 2)
            log.info("orchestrator-stopped", after_s=round(loop.time() - begun, 1))
    if failed.done() and not failed.cancelled():
        failed.result()


def main() -> int:
    """Serve with the settings of the environment; 2 where these can't work."""
    try:
        settings = Settings.load()
    except InvalidSettings as error:
        sys.stderr.write(f"{error}\n")
        return 2
    logs.configure(settings.log_level, settings.log_format)
    try:
        with tracing(SERVICE) as tracer:
            run(serve(settings, tracer=tracer))
    except (ChangedDefinition, ValueError, OSError) as error:
        log.error("not-started", reason=str(error))
        return 1
    except Exception:
        log.exception("not-started")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

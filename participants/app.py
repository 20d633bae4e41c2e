"""The participants' composition root: the one place here that makes connections, the machine's clock and randomness.

python -m participants.app inventory payment
"""

import asyncio
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from random import SystemRandom

import structlog

from adapters.clock import Clock, SystemClock
from adapters.errors import Unavailable
from adapters.logs import configure
from adapters.mongo import Mongo
from adapters.process import PlannedFaults, refuse_planned_faults, run
from adapters.streams.application import FastStream, application
from adapters.streams.redis_bus import RedisBus
from adapters.streams.settings import StreamSettings
from adapters.tasks import end
from adapters.tracing.configuration import FLUSH_WITHIN_S, configured, tracing
from adapters.tracing.messages import ReplySpans
from adapters.tracing.port import Tracer, Untraced
from participants.inbox import Inbox, MongoInbox
from participants.inventory import inventory
from participants.ledger import LEDGER
from participants.metrics import Page, Recorder, serving
from participants.orders import orders
from participants.participant import AtOnce, Participant
from participants.payment import payment
from participants.retention import LedgerRetention
from participants.settings import ParticipantSettings

log = structlog.get_logger(__name__)

SERVICE = "saga-participant-"  #: a participant's name in traces is this and its own

PROBLEMS_WITHIN_S = 4.0  #: for a look at both databases

SHIPPED = {participant.name: participant for participant in (inventory, payment, orders)}


@dataclass(frozen=True, slots=True)
class Running:
    """Participants with their connections. `stop` ends what `start` began; then it is not used again."""

    bus: RedisBus
    mongo: Mongo
    names: list[str]
    settings: ParticipantSettings
    recorder: Recorder
    ledgers: Sequence[LedgerRetention] = ()
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def start(self) -> None:
        """Begin to handle commands. Returns at once also while Redis or MongoDB is away: it keeps trying."""
        await self.bus.start()
        self.tasks.extend(asyncio.create_task(work) for work in (self._look(), *(each.run() for each in self.ledgers)))

    async def stop(self) -> None:
        """Finish the batches in hand, then close every connection."""
        await end(self.tasks)
        await self.bus.stop()
        await self.mongo.close()

    async def _look(self) -> None:
        """Say at the start what is wrong with MongoDB: else nobody hears of it before the first command comes."""
        try:
            await self.mongo.ping()
        except Unavailable as error:
            log.warning("waiting-for-mongodb", reason=str(error))

    async def problems(self) -> list[str]:
        """What is wrong right now, in words."""
        found = list(await self.bus.problems())
        try:
            await self.mongo.ping()
        except Unavailable as error:
            found.append(str(error))
        return found


def build(
    *participants: Participant,
    settings: ParticipantSettings | None = None,
    clock: Clock | None = None,
    tracer: Tracer | None = None,
    around: Callable[[Inbox], Inbox] = lambda inbox: inbox,
) -> Running:
    """Participants in one process, on connections they share; each has its own database, stream and group.

    `around` is given each one's inbox and returns what it is to use instead.
    """
    recorder = Recorder()
    tracers = {each.name: (tracer or Untraced()).service(f"{SERVICE}{each.name}") for each in participants}
    settings = settings or ParticipantSettings()
    clock = clock or SystemClock()
    random = SystemRandom()
    app_name = "-".join(["saga", *(each.name for each in participants)])
    mongo = Mongo.connect(settings.mongo_url, driver=settings.mongo_driver, app_name=app_name)
    bus = RedisBus(
        settings.redis_url,
        clock=clock,
        rng=random,
        streams=settings.streams,
        settings=StreamSettings(max_records=settings.command_batch),
    )
    if tracer is not None and tracer.on:
        bus.watch(ReplySpans({f"/participants/{name}": each for name, each in tracers.items()}))
    for participant in participants:
        inbox = around(_inbox(participant, settings, mongo, clock))
        participant.bind(
            bus,
            inbox,
            clock,
            streams=settings.streams,
            tracer=tracers[participant.name],
            recorder=recorder,
            at_once=AtOnce(settings.command_batch, settings.external_at_once),
        )
    ledgers = [_ledger(each, settings, mongo, clock, recorder) for each in participants if LEDGER in each.indexes]
    return Running(bus, mongo, list(tracers), settings, recorder, ledgers)


def _inbox(participant: Participant, settings: ParticipantSettings, mongo: Mongo, clock: Clock) -> MongoInbox:
    """In the participant's own database."""
    return MongoInbox(
        mongo,
        f"{settings.database_prefix}{participant.name}",
        clock,
        SystemRandom(),
        expiry=settings.inbox_expiry,
        indexes=participant.indexes,
    )


def _ledger(
    participant: Participant, settings: ParticipantSettings, mongo: Mongo, clock: Clock, recorder: Recorder
) -> LedgerRetention:
    return LedgerRetention(
        mongo,
        f"{settings.database_prefix}{participant.name}",
        clock,
        keep=settings.ledger_retention,
        archive=settings.archive,
        folded=partial(recorder.folded, participant.name),
    )


def faststream_app(participant: Participant) -> FastStream:
    """The application behind `faststream run participants.inventory:app`; settings come from the environment.

    Raises `ValueError` where it names no databases.
    """
    refuse_planned_faults()
    settings = ParticipantSettings()
    if settings.problem:
        raise ValueError(settings.problem)
    configure(settings.log_level, settings.log_format)
    tracer = configured(f"{SERVICE}{participant.name}")
    running = build(participant, settings=settings, tracer=tracer)

    async def stop() -> None:
        await running.stop()
        tracer.shutdown(FLUSH_WITHIN_S)

    return application(running.bus, on_startup=running.start, on_shutdown=stop)


async def serve(running: Running) -> None:
    """Run until SIGTERM or SIGINT. Raises `OSError` where the port for metrics is taken."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    settings, page, loop = running.settings, Page(running.recorder, running.bus.counts), asyncio.get_running_loop()

    def problems() -> Sequence[str]:
        asked = asyncio.run_coroutine_threadsafe(running.problems(), loop)
        try:
            return asked.result(PROBLEMS_WITHIN_S)
        except TimeoutError:
            return ["it does not say whether it is ready"]

    with serving(page, settings.metrics_host, settings.metrics_port, problems):
        await running.start()
        log.info("participants-started", participants=running.names)
        await stopping.wait()
        await running.stop()
    log.info("participants-stopped", participants=running.names)


def main(names: list[str]) -> int:
    """Serve the shipped participants of these names; exit code 2 where one is unknown, or a database is not named."""
    unknown = [name for name in names if name not in SHIPPED]
    if unknown or not names:
        sys.stderr.write(f"usage: python -m participants.app {' | '.join(SHIPPED)} …\n")
        return 2
    settings = ParticipantSettings()
    if settings.problem:
        sys.stderr.write(f"{settings.problem}\n")
        return 2
    configure(settings.log_level, settings.log_format)
    try:
        refuse_planned_faults()
    except PlannedFaults as error:
        sys.stderr.write(f"{error}\n")
        return 2
    with tracing(f"{SERVICE}{names[0]}") as tracer:
        run(serve(build(*(SHIPPED[name] for name in names), settings=settings, tracer=tracer)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

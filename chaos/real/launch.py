"""Starts one process of a run: the product's own composition root, with faults around its ports.

    python -m chaos.real.launch orchestrator-1 orchestrator --saga sagas.order:order --versions 1
    python -m chaos.real.launch payment-2 payment --saga sagas.order:order --from participants.payment:payment

Only a run starts it: it wants the plan of the run, and lives no longer than the run does.
"""

import argparse
import os
import sys
from pathlib import Path
from random import Random
from types import ModuleType

from adapters.clock import SystemClock
from adapters.logs import configure
from adapters.process import PLANNED_FAULTS, run_tuned
from chaos.faults import Point
from chaos.real.ledger import in_mongodb
from chaos.real.lifeline import end_with_the_run
from chaos.real.plan import Plan
from chaos.real.points import StruckInbox, StruckStore, struck, watch
from chaos.real.sent import Sent
from chaos.real.striker import Striker
from chaos.standins import Doing, Manner, endpoints, outside, reply_to, stand_in
from chaos.swarm import next_version
from orchestrator.app import Orchestrator
from orchestrator.app import serve as serve_orchestrator
from orchestrator.settings import Settings
from participants.app import build
from participants.app import serve as serve_participants
from participants.context import Context
from participants.participant import Participant
from participants.settings import ParticipantSettings
from sagas import Saga
from sagas.imports import named
from sagas.messages import Kind

ORCHESTRATOR = "orchestrator"
_DEFINITIONS = "chaos_definitions"  #: a module that is made here, of the versions that this process is to know


def versions(saga: Saga, count: int) -> list[Saga]:
    """The saga, and so many versions of it in all that differ in nothing but their number."""
    known = [saga]
    while len(known) < count:
        known.append(next_version(known[-1]))
    return known


async def orchestrator(striker: Striker, sent: Sent, sagas: list[Saga]) -> None:
    """One orchestrator, until it is told to stop."""
    module = ModuleType(_DEFINITIONS)
    vars(module).update({f"version_{saga.version}": saga for saga in sagas})
    sys.modules[_DEFINITIONS] = module

    def made(process: Orchestrator) -> None:
        process.engine.store = StruckStore(process.engine.store, striker)
        watch(process.bus, striker, sent, Point.SEND, Point.SETTLE)

    await serve_orchestrator(Settings.load(definitions=_DEFINITIONS), made=made)


async def participant(given: Participant, striker: Striker, sent: Sent) -> None:
    """One process of a participant, until it is told to stop."""
    clock = SystemClock()
    running = build(
        struck(given, striker, clock),
        settings=ParticipantSettings(),
        clock=clock,
        around=lambda inbox: StruckInbox(inbox, striker),
    )
    watch(running.bus, striker, sent, Point.ANSWER, Point.FINISH)
    await serve_participants(running)


def made_up(name: str, saga: Saga, seed: int, reject_rate: float, manner: Manner) -> Participant:
    """A stand-in, which says no to the same commands in each of its processes and at each attempt."""
    up_to_pivot = {step.name for step in saga.steps[: saga.pivot + 1]}

    async def conduct(context: Context, doing: Doing) -> str | None:
        draw = Random(f"{seed}/no/{context.saga_id}/{context.step}").random()
        refuses = context.kind is Kind.ACTION and context.step in up_to_pivot and draw < reject_rate
        return "no" if refuses else await doing()

    theirs = [endpoint for endpoint in endpoints([saga]).values() if endpoint.participant == name]
    rng = Random(f"{seed}/replies/{name}")
    return stand_in(name, theirs, conduct, in_mongodb, lambda endpoint: reply_to(endpoint, rng), manner)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m chaos.real.launch", description="One process of a failure run.")
    parser.add_argument("who", help="what the run calls this process")
    parser.add_argument("role", help="`orchestrator`, or a participant's name")
    parser.add_argument("--saga", required=True, metavar="MODULE:ATTRIBUTE")
    parser.add_argument("--versions", type=int, default=1, help="how many versions of the saga it knows")
    parser.add_argument("--from", dest="reference", metavar="MODULE:ATTRIBUTE", help="else a stand-in is made")
    parser.add_argument("--reject-rate", type=float, default=0.0, help="of a stand-in")
    parser.add_argument("--alone", action="store_true", help="a stand-in's commands have a transaction each")
    parser.add_argument(
        "--external", action="append", default=[], metavar="STEP", help="a stand-in does it outside the database"
    )
    return parser.parse_args()


def main() -> None:
    """Run until told to stop."""
    given = _arguments()
    if PLANNED_FAULTS not in os.environ:
        sys.exit(
            f"{PLANNED_FAULTS} is not set: only a failure run starts this. For a service: saga serve, saga participant."
        )
    plan = Plan.read(Path(os.environ[PLANNED_FAULTS]))
    end_with_the_run()
    configure("info", "json")
    striker, sent = Striker(plan, given.who, SystemClock()), Sent(plan.directory, given.who)
    saga = named(given.saga, Saga)
    if given.role == ORCHESTRATOR:
        run_tuned(orchestrator(striker, sent, versions(saga, given.versions)))
        return
    if given.reference:
        theirs = named(given.reference, Participant)
    else:
        manner = Manner(batch=not given.alone, outside=outside(saga, given.external))
        theirs = made_up(given.role, saga, plan.seed, given.reject_rate, manner)
    run_tuned(participant(theirs, striker, sent))


if __name__ == "__main__":
    main()

"""The whole diagnosis: look here, ask there, judge, show."""

import asyncio
from collections.abc import Sequence

from adapters.clock import Clock, SystemClock
from adapters.facts import Unknown
from adapters.logs import configure
from cli.data_directory import DataDirectory, nearest
from cli.doctor.check import Check, judged
from cli.doctor.environment import judge_here
from cli.doctor.gather import There, look_there
from cli.doctor.here import Here, look_here
from cli.doctor.mongodb import judge_indexes, judge_mongo
from cli.doctor.redis import judge_redis
from cli.doctor.report import as_json, as_text, has_failed
from cli.doctor.sagas import judge_sagas, judge_skew
from cli.failure import Exit
from cli.lookup import find_participant
from cli.service import given_key
from cli.terminal import show, show_json
from participants.app import SHIPPED


def run_doctor(url: str | None, own: Sequence[str], within_s: float, in_json: bool) -> Exit:
    """Diagnose and show; the exit code."""
    configure("error", "auto")  # What a probe meets is its finding; it need not be logged too.
    names = dict.fromkeys((*SHIPPED, *own))
    data = nearest()
    here = look_here(data, within_s)
    where = url.rstrip("/") if url else _told(data)
    participants = [find_participant(name) for name in names]
    there = asyncio.run(look_there(here, where, given_key(), participants, SystemClock(), within_s))
    checks = diagnosis(here, there, SystemClock())
    if in_json:
        show_json(as_json(here.mongo_url, here.redis_url, where, checks))
    else:
        show(as_text(here.mongo_url, here.redis_url, where, checks))
    return Exit.OTHER if has_failed(checks) else Exit.OK


def diagnosis(here: Here, there: There, clock: Clock) -> list[Check]:
    """Every judgement, in the order in which one would look."""
    serving = not isinstance(there.service.ready, Unknown)
    return [
        *judge_here(here, there.service, clock.now()),
        *judge_mongo(there.mongo),
        judge_skew("clock-mongodb", there.mongo.skew),
        judged("indexes", there.indexes, judge_indexes),
        *judge_redis(there.redis, serving=serving),
        judge_skew("clock-redis", there.redis.skew),
        *judge_sagas(there.sagas, here.definitions, there.service.knows, here.settings.max_active, clock.now()),
    ]


def _told(data: DataDirectory) -> str | None:
    service = data.service()
    return None if service is None else str(service["url"])

"""Each mistake that participants make is caught by the check that is there for it; a correct one passes all."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from adapters.clock import SystemClock
from adapters.streams.probe import Probe
from chaos.conformance.checks_entries import CHECKS
from chaos.conformance.compose import Subject
from chaos.conformance.language import Check
from chaos.conformance.ledger import Ledger
from chaos.conformance.run import Examination, NoAnswer
from chaos.conformance.sheet import Result, Status
from support.conforming import PUT_BACK, TAKE, Defect, Till

SUBJECT = Subject(
    participant="till",
    step="take",
    action=TAKE,
    data={"amount": 5},
    rejected_data={"amount": 5_000},
    compensation=PUT_BACK,
    compensation_data={},
    destructive=True,
)

#: By replies alone.
HEARD: dict[Defect, tuple[str, ...]] = {
    Defect.NO_INBOX: ("late-action", "late-attempts", "revoke-of-nothing"),
    Defect.NO_TOMBSTONE: ("late-action", "late-attempts", "revoke-of-nothing"),
    Defect.REJECTS_UNDOING: ("null-compensation", "late-action"),
    Defect.REVOKE_LIES: ("revoke-of-a-done-action",),
    Defect.REVOKE_FORGETS: ("revoke-of-a-done-action",),
    Defect.NEW_REPLY: ("repeat", "repeat-at-once", "rising-attempts"),
    Defect.ATTEMPT_IN_KEY: ("late-attempts",),
    Defect.REJECTION_FORGOTTEN: ("rejected-repeat", "rejected-at-once"),
    Defect.NEVER_EXPIRES: ("expired-action", "expired-compensation", "expired-revoke"),
    Defect.NO_MARGIN: ("expired-action",),
    Defect.UNKNOWN_SUCCEEDS: ("unknown-type",),
    Defect.NEEDS_ATTEMPT: ("optional-fields",),
    Defect.NEEDS_REPLYTO: ("no-replyto",),
    Defect.ACKS_FIRST: ("reply-first",),
    Defect.NEVER_ACKS: ("acknowledged",),
    Defect.BLOCKS_ON_POISON: ("unreadable-json", "unreadable-no-id"),
    Defect.DIES_OF_POISON: ("unreadable-json",),
    Defect.GROUP_NOT_MADE_AGAIN: ("group-made-again",),
    Defect.GROUP_AT_END: ("group-made-again",),
    Defect.FAILED_WITHOUT_ATTEMPT: ("unknown-type",),
}

#: Seen in the ledger only.
SEEN: dict[Defect, tuple[str, ...]] = {
    Defect.NO_INBOX: ("repeat", "repeat-at-once", "attempts-at-once"),
    Defect.INBOX_APART: ("repeat-at-once", "attempts-at-once"),
    Defect.TOMBSTONE_ELSEWHERE: ("race",),
    Defect.UNDOES_NOTHING: ("null-compensation", "late-action"),
    Defect.UNDOES_TWICE: ("compensation", "compensation-at-once"),
    Defect.ATTEMPT_IN_KEY: ("rising-attempts", "attempts-at-once"),
}

#: What is said where nothing at all is answered.
HINTS: dict[Defect, str] = {
    Defect.REPLIES_ELSEWHERE: "read and acknowledged, and no reply came",
    Defect.SILENT: "read and not acknowledged",
    Defect.READS_NOTHING: "nobody has read the command",
}
NOTHING_PENDING: dict[str, object] = {"pending": 0, "min": None, "max": None, "consumers": []}


@asynccontextmanager
async def examining(
    redis_url: str, defect: Defect | None, *, with_ledger: bool, timeout_s: float
) -> AsyncIterator[tuple[Examination, Redis, str]]:
    prefix = f"t{uuid4().hex[:8]}."
    stream = f"{prefix}commands.till"
    redis = Redis.from_url(redis_url)
    probe = Probe(redis_url, stream=stream, group="till", replies=f"{prefix}conformance.1")
    try:
        async with Till(redis, stream, defect) as till:
            await probe.open()
            ledger: Ledger | None = till if with_ledger else None
            yield Examination(probe, SUBJECT, SystemClock(), "run", timeout_s, ledger, hold_s=0.2), redis, prefix
    finally:
        await probe.aclose()
        await redis.delete(*await redis.keys(f"{prefix}*") or ["none"])
        await redis.aclose()


async def results(examination: Examination, checks: Sequence[Check]) -> dict[str, Result]:
    return {result.check.name: result async for result in examination.run(checks, lambda _: None)}


def named(names: Sequence[str]) -> list[Check]:
    found = [check for check in CHECKS if check.name in names]
    assert len(found) == len(names)
    return found


async def test_a_correct_participant_passes_all_and_nothing_of_ours_stays(redis_url: str) -> None:
    async with examining(redis_url, None, with_ledger=True, timeout_s=5.0) as (examination, redis, prefix):
        found = await results(examination, CHECKS)
        assert {name: result.faults for name, result in found.items() if result.status is not Status.PASSED} == {}
        await examination.probe.tidy()

        assert await redis.keys(f"{prefix}*") == [f"{prefix}commands.till".encode()]
        (group,) = await redis.xinfo_groups(f"{prefix}commands.till")
        assert (group["pending"], group["lag"]) == (0, 0)
        assert await redis.xlen(f"{prefix}commands.till") == 0
        assert isinstance(examination.ledger, Till)
        assert sum(row["amount"] for row in examination.ledger.ledger) == 0, "what was done has been undone"


@pytest.mark.parametrize(
    ("defect", "with_ledger", "check"),
    [
        *((defect, False, check) for defect, checks in HEARD.items() for check in checks),
        *((defect, True, check) for defect, checks in SEEN.items() for check in checks),
    ],
    ids=str,
)
async def test_each_defect_is_caught(redis_url: str, defect: Defect, with_ledger: bool, check: str) -> None:
    async with examining(redis_url, defect, with_ledger=with_ledger, timeout_s=0.3) as (examination, _, _):
        found = await results(examination, named([check]))

    assert found[check].status is Status.FAILED, found[check].exchanges
    assert found[check].faults


async def test_what_is_only_worth_a_look_is_no_failure(redis_url: str) -> None:
    async with examining(redis_url, Defect.COPIES_NOTHING, with_ledger=False, timeout_s=1.0) as (examination, _, _):
        found = await results(examination, named(["copied-fields"]))

    assert found["copied-fields"].status is Status.ADVICE


@pytest.mark.parametrize(("defect", "hint"), HINTS.items())
async def test_where_nothing_is_answered_it_says_where_to_look(redis_url: str, defect: Defect, hint: str) -> None:
    async with examining(redis_url, defect, with_ledger=False, timeout_s=0.2) as (examination, redis, prefix):
        with pytest.raises(NoAnswer, match=hint):
            await results(examination, named(["repeat"]))
        await examination.probe.tidy()

        assert await redis.xpending(f"{prefix}commands.till", "till") == NOTHING_PENDING
        assert await redis.xlen(f"{prefix}commands.till") == 0


def test_every_defect_has_its_check() -> None:
    assert {*HEARD, *SEEN, *HINTS, Defect.COPIES_NOTHING} == {*Defect}


async def test_a_participant_that_has_ended_is_not_asked_for_ever(redis_url: str) -> None:
    async with examining(redis_url, Defect.DIES_OF_POISON, with_ledger=False, timeout_s=0.2) as (examination, _, _):
        found = await results(examination, named(["unreadable-json", "unreadable-list", "unreadable-null"]))

    assert [result.status for result in found.values()] == [Status.FAILED, Status.UNREACHED, Status.UNREACHED]

"""The sheet: how each check came out, for programs and for CI. Pure."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

from chaos.conformance.compose import Command
from chaos.conformance.judge import Exchange, presentable
from chaos.conformance.language import Check

MOST_SHOWN = 12  #: exchanges, and answers to one command: a race has 60


class Status(StrEnum):
    """How a check came out."""

    PASSED = "passed"
    FAILED = "failed"
    ADVICE = "advice"  #: failed, but not required
    SKIPPED = "skipped"
    UNREACHED = "not reached"  #: the participant had stopped answering


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the sheet."""

    check: Check
    status: Status
    faults: Sequence[str] = ()
    exchanges: Sequence[Exchange] = field(default=(), hash=False)
    reason: str = ""  #: why it was skipped or not reached
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Sheet:
    """All of it."""

    stream: str
    group: str
    seen_by: str  #: replies, or replies and the ledger
    results: Sequence[Result]
    notes: Sequence[str] = ()

    @property
    def ok(self) -> bool:
        """Whether every required check passed, of those that could be made at all."""
        return not any(result.status in (Status.FAILED, Status.UNREACHED) for result in self.results)

    def count(self, status: Status) -> int:
        """How many came out so."""
        return sum(result.status is status for result in self.results)


def as_json(sheet: Sheet) -> dict[str, Any]:
    """For programs."""
    return {
        "stream": sheet.stream,
        "group": sheet.group,
        "seen_by": sheet.seen_by,
        "ok": sheet.ok,
        "counts": {status.value: sheet.count(status) for status in Status},
        "notes": list(sheet.notes),
        "checks": [_result_json(result) for result in sheet.results],
    }


def check_json(check: Check) -> dict[str, Any]:
    """A check by itself."""
    return {
        "name": check.name,
        "required": check.required,
        "says": check.says,
        "must": check.duty.must,
        "why": check.duty.why,
        "needs": sorted(need.value for need in check.needs),
    }


def _result_json(result: Result) -> dict[str, Any]:
    return {
        **check_json(result.check),
        "status": result.status.value,
        "seconds": round(result.seconds, 3),
        "reason": result.reason,
        "faults": list(result.faults),
        "exchanges": [
            {
                "sent": {name: presentable(value) for name, value in each.command.fields.items()},
                "copies": each.command.sending.copies,
                "must_be": each.command.sending.expect.value,
                "answers": [dict(answer.fields) for answer in each.answers[:MOST_SHOWN]],
                "acknowledged": not each.unsettled,
            }
            for each in result.exchanges[:MOST_SHOWN]
        ],
    }


def conversation(result: Result) -> list[str]:
    """What was sent and what came back, a line each."""
    lines = [line for each in result.exchanges[:MOST_SHOWN] for line in _exchange_lines(each)]
    more = len(result.exchanges) - MOST_SHOWN
    return lines + ([f"… and {more} commands more"] if more > 0 else [])


def _exchange_lines(exchange: Exchange) -> list[str]:
    shown = {
        f"← {answer.outcome or 'unreadable'} {presentable(json.dumps(dict(answer.data), ensure_ascii=False))}": None
        for answer in exchange.answers
    }
    return [f"→ {_sent(exchange.command)}", *(shown or ["← no answer"])]


def _sent(command: Command) -> str:
    copies = f" x{command.sending.copies}" if command.sending.copies > 1 else ""
    parts = [command.sending.kind.value + copies]
    parts += [
        f"{name}={presentable(command.fields[name])}" for name in ("id", "attempt", "data") if name in command.fields
    ]
    return " ".join(parts)


def as_junit(sheet: Sheet) -> str:
    """For CI: JUnit's XML, a test case for each check."""
    suite = Element("testsuite", name=f"saga conformance {sheet.stream}", tests=str(len(sheet.results)))
    suite.set("failures", str(sheet.count(Status.FAILED) + sheet.count(Status.UNREACHED)))
    suite.set("skipped", str(sheet.count(Status.SKIPPED)))
    for result in sheet.results:
        case = SubElement(suite, "testcase", name=result.check.name, classname=sheet.stream)
        case.set("time", f"{result.seconds:.3f}")
        if result.status is Status.SKIPPED:
            SubElement(case, "skipped", message=result.reason)
        elif result.status in (Status.FAILED, Status.UNREACHED):
            failure = SubElement(case, "failure", message=presentable("; ".join(result.faults) or result.reason))
            said = map(presentable, result.faults)
            failure.text = "\n".join([result.check.duty.must, *said, *conversation(result)])
        elif result.status is Status.ADVICE:
            SubElement(case, "system-out").text = "\n".join(map(presentable, result.faults))
    return tostring(suite, encoding="unicode", xml_declaration=True)

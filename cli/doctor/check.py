"""One check: what was looked at, how it is, and what to do about it. Pure, like everything that makes one."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from adapters.facts import Fact, Unknown

T = TypeVar("T")

UNTRUSTED = "CERTIFICATE_VERIFY_FAILED"  #: in what OpenSSL says


class Status(StrEnum):
    """How a check came out."""

    OK = "ok"
    WARNING = "warning"  #: works, but somebody should look
    FAILED = "failed"  #: does not work, or a promise does not hold
    UNKNOWN = "unknown"  #: could not be looked at


@dataclass(frozen=True, slots=True)
class Check:
    """One judgement. `name` is stable; `remedy` is empty where there is nothing to do."""

    name: str
    status: Status
    detail: str
    remedy: str = ""


def ok(name: str, detail: str) -> Check:
    """All is well."""
    return Check(name, Status.OK, detail)


def warning(name: str, detail: str, remedy: str) -> Check:
    """Somebody should look."""
    return Check(name, Status.WARNING, detail, remedy)


def failed(name: str, detail: str, remedy: str) -> Check:
    """Something must be done."""
    return Check(name, Status.FAILED, detail, remedy)


def unknown(name: str, reason: str, remedy: str = "") -> Check:
    """It can't be told."""
    return Check(name, Status.UNKNOWN, reason, remedy)


def not_answering(name: str, reason: str, setting: str, authority: str) -> Check:
    """A database is away, says `reason`; `authority` is the option of the URL in `setting` that TLS needs."""
    remedy = f"Start it (`saga up` and `saga servers` do), or correct {setting}."
    if UNTRUSTED in reason:
        remedy = f"Name the file with the authority that signed its certificate, as `{authority}=` in {setting}."
    return failed(name, reason, remedy)


def judged(name: str, fact: Fact[T], judge: Callable[[str, T], Check]) -> Check:
    """The judgement of a fact; one that is unknown can't be judged."""
    return unknown(name, fact.reason) if isinstance(fact, Unknown) else judge(name, fact)


def listed(things: list[str], most: int = 5) -> str:
    """The first of them in words, and how many more there are."""
    more = f" and {len(things) - most} more" if len(things) > most else ""
    return ", ".join(things[:most]) + more

"""The client's errors, by who must react. Each message says what to do next.

SagaError
├── Unavailable         come back later: the service is away, too busy, or can't reach a database
│   └── AnswerLost      … and whether it was done is not known; ask again, or look
├── InvalidRequest      the caller's program or data is wrong; `errors` says where
├── NotFound            there is no such saga, definition, dead letter or page
├── Conflict            things are not as the caller thought; look at them again
├── AccessDenied        whoever runs the client must give it another key
├── NotEnded            a saga did not end in time; it goes on, and `saga` is what was seen last
├── EventsMissed        a stream could not be continued where it broke off; read what you need again
└── UnexpectedAnswer    what answers is no saga service, or one of another version
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from client.retrying import retry_after_s
from client.wire import Answer, Lost, Request

if TYPE_CHECKING:
    from client.models import SagaInstance

_TEXT_LENGTH = 200  #: how much is shown of an answer that is no problem


class SagaError(Exception):
    """Anything that can go wrong with a service."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """One fault of what was sent: where (a JSON pointer), and what."""

    pointer: str
    detail: str


@dataclass(frozen=True, slots=True)
class Problem:
    """What the service said is the matter (RFC 9457)."""

    status: int
    type: str = "about:blank"  #: stable: `/problems/saga-not-found`
    title: str = ""
    detail: str = ""
    errors: tuple[FieldError, ...] = ()
    code: str | None = None  #: of a refusal: why the saga's state forbids it
    retry_after_s: float | None = None


class Refused(SagaError):
    """The service has answered, and not done it. Which of the errors below says who must react."""

    def __init__(self, problem: Problem, message: str) -> None:
        self.problem = problem
        super().__init__(message)

    @property
    def type(self) -> str:
        """Stable, for programs: `/problems/saga-not-found`."""
        return self.problem.type

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.problem.status

    @property
    def detail(self) -> str:
        """For people."""
        return self.problem.detail

    @property
    def errors(self) -> tuple[FieldError, ...]:
        """The single faults of what was sent."""
        return self.problem.errors

    @property
    def code(self) -> str | None:
        """Of a `Conflict`: why the saga's state forbids it, as `pivot-passed`."""
        return self.problem.code


class InvalidRequest(Refused):
    """What was sent is wrong; sending it again changes nothing."""


class NotFound(Refused):
    """There is nothing of this id or name."""


class Conflict(Refused):
    """Another saga has the id, the saga's state forbids it, or it is not at the revision that was asked for."""


class AccessDenied(Refused):
    """The key is missing, not known, or not good for this."""


class Unavailable(SagaError):
    """The service can't do it now. Nothing is wrong with the request: come back later."""

    def __init__(self, message: str, problem: Problem | None = None) -> None:
        self.message = message
        self.problem = problem  #: None where nobody answered
        self.ids: tuple[str, ...] = ()  #: of starts: asked for again with these ids, nothing starts twice
        super().__init__(message)

    def __str__(self) -> str:
        if not self.ids:
            return self.message
        again = f"id={self.ids[0]!r}" if len(self.ids) == 1 else "the ids in `ids`"
        return f"{self.message} Whatever has become of it: started again with {again}, nothing starts twice."

    @property
    def retry_after_s(self) -> float | None:
        """When to come back, where the service has said so."""
        return None if self.problem is None else self.problem.retry_after_s


class AnswerLost(Unavailable):
    """The request may have arrived, but no answer came: whether it was done is not known."""


class UnexpectedAnswer(SagaError):
    """The answer is not one that a saga service of this version gives."""


class NotEnded(SagaError):
    """A saga did not end within the time. It goes on: `saga` is what was seen last."""

    def __init__(self, saga: "SagaInstance[Any]", within_s: float) -> None:
        self.saga = saga
        waiting = f" {saga.waiting_for}" if saga.waiting_for else ""
        super().__init__(
            f"Saga {saga.id} has not ended within {within_s:g} s; it is {saga.status.value}.{waiting} "
            "It goes on: wait again, or look at it later."
        )


class EventsMissed(SagaError):
    """Transitions between the last one seen and now can't be had any more.

    Read what you need with `find` or `get`, and watch on: `after` is where the stream went on. None: it does not say,
    and a watch without `after` begins with now, of a single saga with all that is kept of it.
    """

    def __init__(self, after: str | None) -> None:
        self.after = after
        super().__init__(
            "The service does not have the transitions since the last one seen any more. "
            "List the sagas again, then watch with after=error.after."
        )


_KINDS: Mapping[int, type[Refused]] = {
    401: AccessDenied,
    403: AccessDenied,
    404: NotFound,
    409: Conflict,
    412: Conflict,
}
_ADVICE: Mapping[int, str] = {
    401: "Give the client a key that the service knows (key=).",
    403: "Give the client a key that has the scope for this (key=).",
    409: "Look at it again before you decide what to do.",
    412: "Look at it again before you decide what to do.",
    503: "The service is too busy, or can't reach a database; its log says which. Try again later.",
}


def failed(request: Request, found: Answer | Lost, url: str) -> SagaError:
    """The error that an answer without success, or none, stands for."""
    return _refusal(found) if isinstance(found, Answer) else _lost(request, found, url)


def _refusal(answer: Answer) -> SagaError:
    problem = _read_problem(answer)
    message = "\n".join(
        [
            problem.detail or problem.title or f"The service answered with status {problem.status}.",
            *(f"  {error.pointer}: {error.detail}" for error in problem.errors),
            *filter(None, [_ADVICE.get(problem.status)]),
        ]
    )
    if problem.status == 429 or problem.status >= 500:
        return Unavailable(message, problem)
    if problem.status < 400:
        return UnexpectedAnswer(f"The service answered with status {problem.status}, which this client can't follow.")
    return _KINDS.get(problem.status, InvalidRequest)(problem, message)


def _lost(request: Request, found: Lost, url: str) -> Unavailable:
    if not found.arrived:
        return Unavailable(f"No service answers at {url} ({found.reason}). Is it running there?")
    if request.repeatable:
        return AnswerLost(f"The service at {url} gave no answer ({found.reason}).")
    return AnswerLost(
        f"The service at {url} gave no answer ({found.reason}), so whether it was done is not known. "
        "Look before you ask again."
    )


def _read_problem(answer: Answer) -> Problem:
    """The problem that the body holds; of anything else, its beginning."""
    try:
        found = json.loads(answer.body)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        text = answer.body[:_TEXT_LENGTH].decode(errors="replace").strip()
        return Problem(answer.status, detail=text, retry_after_s=retry_after_s(answer))
    return problem_of(found, answer.status, retry_after_s(answer))


def problem_of(found: Mapping[str, Any], status: int, after_s: float | None = None) -> Problem:
    """A problem from its JSON, whatever that holds."""
    return Problem(
        status=status,
        type=_text(found.get("type")) or "about:blank",
        title=_text(found.get("title")),
        detail=_text(found.get("detail")),
        errors=tuple(_errors(found.get("errors"))),
        code=_text(found.get("code")) or None,
        retry_after_s=after_s,
    )


def _errors(found: Any) -> Sequence[FieldError]:
    listed = found if isinstance(found, list) else []
    return [FieldError(_text(one.get("pointer")), _text(one.get("detail"))) for one in listed if isinstance(one, dict)]


def _text(found: Any) -> str:
    return found if isinstance(found, str) else ""

"""The service that a command talks to, over its public API alone; and its errors as people at a terminal read them."""

from typing import TypeVar

from adapters.secret_files import secret
from cli.data_directory import service_url
from cli.failure import Exit, Failure
from client import (
    AccessDenied,
    AnswerLost,
    Conflict,
    InvalidRequest,
    NotEnded,
    NotFound,
    Refused,
    Retries,
    SagaClient,
    SagaError,
    SyncSagaClient,
    Unavailable,
    UnexpectedAnswer,
)
from client.addressing import authorization

C = TypeVar("C", SagaClient, SyncSagaClient)

KEY_VARIABLE = "SAGA_API_KEY"  #: where the commands find the caller's key; never an argument, which others could see

_RETRIES = Retries(attempts=3)  #: a person waits, and can try again

_CODES: dict[type[SagaError], Exit] = {
    NotFound: Exit.NOT_FOUND,
    InvalidRequest: Exit.USAGE,
    NotEnded: Exit.TIMEOUT,
}
_ADVICE = {
    "/problems/saga-not-found": "See what is there: saga ls",
    "/problems/dead-letter-not-found": "See what is there: saga dead-letters ls",
    "/problems/definition-not-found": "See what is there: saga definitions ls",
    "/problems/unknown-saga": "See what is there: saga definitions ls",
    "/problems/unauthenticated": f"The service wants an API key: put it into {KEY_VARIABLE}.",
    "/problems/scope-missing": f"The key in {KEY_VARIABLE} does not have the scope for this.",
    "/problems/id-taken": "Choose another --id, or look at that saga with `saga show`.",
    "/problems/idempotency-key-reused": "Choose another --key.",
    "/problems/revision-changed": "See what has changed: saga show ID --history",
}
_BY_STATUS = {
    401: _ADVICE["/problems/unauthenticated"],
    403: _ADVICE["/problems/scope-missing"],
    404: _ADVICE["/problems/saga-not-found"],
    409: "See how things are: saga show ID",
}


def given_key() -> str | None:
    """The caller's key; raises `Failure` for what can't be one."""
    try:
        key = secret(KEY_VARIABLE)
        authorization(key)
    except ValueError as error:
        said = str(error) if str(error).startswith(KEY_VARIABLE) else f"{KEY_VARIABLE}: {error}."
        raise Failure(said, Exit.USAGE) from None
    return key


def connected(url: str | None) -> SyncSagaClient:
    """A client of the service at `url`, or of the one that runs here; raises `Failure`."""
    return _made(SyncSagaClient, url)


def connected_async(url: str | None) -> SagaClient:
    """The same, for commands that wait for several things at once."""
    return _made(SagaClient, url)


def _made(kind: type[C], url: str | None) -> C:
    try:
        return kind(service_url(url), key=given_key(), retries=_RETRIES)
    except ValueError as error:
        raise Failure(str(error), Exit.USAGE) from error


def explained(error: SagaError) -> Failure:
    """The error, with the command to type next."""
    return Failure(_words(error), next((code for kind, code in _CODES.items() if isinstance(error, kind)), Exit.OTHER))


def _words(error: SagaError) -> str:
    match error:
        case Refused():
            return _refused(error)
        case AnswerLost() | NotEnded():
            return str(error)
        case Unavailable(problem=None):
            return f"{error.message}\nStart one with `saga up`, or name another with --url or SAGA_URL."
        case UnexpectedAnswer():
            return f"{error}\nName the right one with --url or SAGA_URL."
        case _:
            return str(error)


def _refused(error: Refused) -> str:
    problem = error.problem
    said = problem.detail or problem.title or f"The service answered with status {problem.status}."
    faults = [f"  {fault.pointer}: {fault.detail}" for fault in problem.errors]
    advice = _ADVICE.get(problem.type) or (
        _BY_STATUS.get(problem.status) if isinstance(error, AccessDenied | NotFound | Conflict) else None
    )
    return "\n".join([said, *faults, *filter(None, [advice])])

"""A start that the service has refused: what its author probably meant."""

from contextlib import suppress
from difflib import get_close_matches

from cli.failure import Exit, Failure
from client import FieldError, InvalidRequest, SagaError, SyncSagaClient

_DATA = "/data/"  #: where the input is in a request


def misfit(client: SyncSagaClient, saga: str, error: InvalidRequest) -> Failure | None:
    """Why nothing was started, in words of the command line; `None` where the service's own say it all."""
    with suppress(SagaError):
        if error.type == "/problems/unknown-saga":
            return _unknown(saga, [one.name for one in client.definitions()])
        if any(fault.pointer.startswith(_DATA) for fault in error.errors):
            return _misfitting(saga, error, list(client.definition(saga).input.get("properties", {})))
    return None


def _unknown(saga: str, known: list[str]) -> Failure:
    names = ", ".join(dict.fromkeys(known))
    return Failure(f"No saga {saga!r} is known here.{_meant(saga, known)} Known: {names}.", Exit.USAGE)


def _misfitting(saga: str, error: InvalidRequest, takes: list[str]) -> Failure:
    faults = [f"  {_said(fault, takes)}" for fault in error.errors]
    about = f"{saga} takes {', '.join(takes)}: saga definitions show {saga}"
    return Failure("\n".join(["The data does not fit, and nothing was started:", *faults, about]), Exit.USAGE)


def _said(fault: FieldError, takes: list[str]) -> str:
    field = fault.pointer.removeprefix(_DATA)
    return f"{field}: {fault.detail}.{'' if field in takes else _meant(field, takes)}"


def _meant(given: str, known: list[str]) -> str:
    found = get_close_matches(given, known, n=1)
    return f" Did you mean {found[0]!r}?" if found else ""

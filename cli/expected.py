"""Errors of the services that a person can do something about, as the command line shows them."""

import os
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

from adapters.errors import Unavailable
from adapters.process import PlannedFaults
from adapters.servers import ServerFailed, ServerMissing
from adapters.urls import masked
from cli.failure import Exit, Failure
from orchestrator.in_flight import ChangedDefinition
from orchestrator.settings import InvalidSettings
from sagas import InvalidDefinition

P = ParamSpec("P")


def explaining(command: Callable[P, None]) -> Callable[P, None]:
    """The same command; its expected errors become `Failure`."""

    @wraps(command)
    def explained(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except (ServerMissing, ServerFailed, InvalidDefinition, ChangedDefinition) as error:
            raise Failure(str(error)) from error
        except (InvalidSettings, PlannedFaults) as error:
            raise Failure(str(error), Exit.USAGE) from error
        except Unavailable as error:
            raise Failure(f"{error}. {_asked(str(error))}") from error

    return explained


def _asked(said: str) -> str:
    """Which server was meant, and where others come from."""
    name = "SAGA_REDIS_URL" if said.startswith("Redis") else "SAGA_MONGO_URL"
    url, file = os.environ.get(name), os.environ.get(f"{name}_FILE")
    if not url and not file:
        return "`saga servers` starts databases."
    asked = f"{name}={masked(url)}" if url else f"{name}_FILE={file}"
    return f"{asked} was asked: correct it, or unset it, and `saga up` starts databases of its own."

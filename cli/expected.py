"""Errors of the services that a person can do something about, as the command line shows them."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

from adapters.errors import Unavailable
from adapters.process import PlannedFaults
from adapters.servers import ServerFailed, ServerMissing
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
            raise Failure(f"{error}. Is the database up? `saga up` and `saga servers` start one.") from error

    return explained

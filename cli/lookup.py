"""Participants and sagas by name: the shipped ones, and users' own as `module:attribute`."""

import importlib

from cli.failure import Exit, Failure
from participants.app import SHIPPED
from participants.participant import Participant
from sagas import Saga


def find_participant(name: str) -> Participant:
    """The participant of that name. Raises `Failure`."""
    if name in SHIPPED:
        return SHIPPED[name]
    module_name, colon, attribute = name.partition(":")
    if not colon:
        known = ", ".join(SHIPPED)
        raise Failure(f"There is no participant {name!r}. Take {known}, or your own as module:attribute.", Exit.USAGE)
    found = getattr(_module(module_name), attribute, None)
    if not isinstance(found, Participant):
        raise Failure(f"{attribute!r} in module {module_name!r} is not a Participant.", Exit.USAGE)
    return found


def find_saga(name: str) -> Saga:
    """The saga `module:attribute`. Raises `Failure`."""
    module_name, _, attribute = name.partition(":")
    found = getattr(_module(module_name), attribute, None)
    if not isinstance(found, Saga):
        raise Failure(
            f"{attribute!r} in module {module_name!r} is not a Saga. Write --saga module:attribute.", Exit.USAGE
        )
    return found


def _module(name: str) -> object:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise  # The module is there; something that it imports is not.
        raise Failure(f"There is no module {name!r} here or on PYTHONPATH.", Exit.USAGE) from error

"""Participants and sagas by name: the shipped ones, and users' own as `module:attribute`."""

from types import ModuleType

from cli.failure import Exit, Failure
from participants.app import SHIPPED
from participants.participant import Participant
from sagas import InvalidDefinition, Saga
from sagas.imports import imported


def find_participant(name: str) -> Participant:
    """The participant of that name. Raises `Failure`."""
    if name in SHIPPED:
        return SHIPPED[name]
    module_name, colon, attribute = name.partition(":")
    if not colon:
        known = ", ".join(SHIPPED)
        raise Failure(f"There is no participant {name!r}. Take {known}, or your own as module:attribute.", Exit.USAGE)
    module = _module(module_name)
    found = getattr(module, attribute, None)
    if not isinstance(found, Participant):
        instead = _instead(module, attribute, Participant)
        raise Failure(f"{attribute!r} in module {module_name!r} is not a Participant.{instead}", Exit.USAGE)
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


def _module(name: str) -> ModuleType:
    try:
        return imported(name)
    except InvalidDefinition as error:
        raise Failure(str(error), Exit.USAGE) from error


def _instead(module: ModuleType, attribute: str, kind: type) -> str:
    """What of that kind the module has under another name."""
    there = [name for name, value in vars(module).items() if isinstance(value, kind)]
    return f" Did you mean {there[0]!r}?" if len(there) == 1 and there[0] != attribute else ""

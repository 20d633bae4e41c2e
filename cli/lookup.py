"""Participants and sagas by name: the shipped ones, and users' own as `module:attribute`."""

from typing import TypeVar

from cli.failure import Exit, Failure
from participants.app import SHIPPED
from participants.participant import Participant
from sagas import InvalidDefinition
from sagas.imports import named

T = TypeVar("T")


def find_participant(name: str) -> Participant:
    """The participant of that name. Raises `Failure`."""
    if name in SHIPPED:
        return SHIPPED[name]
    try:
        return find(name, Participant)
    except Failure as failure:
        if ":" in name:
            raise
        known = ", ".join(SHIPPED)
        raise Failure(f"{failure}. Take {known}, or your own as module:attribute.", Exit.USAGE) from failure


def find(reference: str, kind: type[T]) -> T:
    """What `module:attribute` names, or a module that has only one, of that kind. Raises `Failure`."""
    try:
        return named(reference, kind)
    except InvalidDefinition as error:
        raise Failure(str(error), Exit.USAGE) from error

"""What the engine tells whoever counts: facts, once per batch. An observer decides nothing and never raises."""

from collections.abc import Sequence
from typing import Protocol

from orchestrator.core.state import Decision, Message, SagaState
from sagas.values import dataclass


@dataclass(frozen=True, slots=True)
class Applied:
    """A message, the state it met, and the decision that stands: what it changed is saved."""

    message: Message
    before: SagaState
    decision: Decision


class Observer(Protocol):
    """Told after the fact, synchronously; what it does is on the engine's time."""

    def accepted(self, begun: Sequence[Decision], repeated: int) -> None:
        """New sagas are stored; so many other starts found their id taken, mostly by the same request before."""
        ...

    def applied(self, done: Sequence[Applied], *, conflicts: int, unknown: int) -> None:
        """Messages are decided and saved, and announced, unless that has failed.

        `conflicts`: sagas that somebody else changed first; their messages are decided again. `unknown`: messages for
        sagas that don't exist, or whose definition is not known here.
        """
        ...

    def finished(self, messages: int, took_s: float) -> None:
        """So many messages were decided, saved and announced, in one go."""
        ...

    def sent_again(self, repeats: Sequence[Decision]) -> None:
        """What was awaited is announced once more, because Redis has lost its streams."""
        ...

    def swept(self, due: int, late_s: float, took_s: float) -> None:
        """The timers were looked through; so many were due, the first of them that late."""
        ...


class Observers:
    """Several, told one after the other."""

    def __init__(self, *observers: Observer) -> None:
        self._observers = observers

    def accepted(self, begun: Sequence[Decision], repeated: int) -> None:
        for each in self._observers:
            each.accepted(begun, repeated)

    def applied(self, done: Sequence[Applied], *, conflicts: int, unknown: int) -> None:
        for each in self._observers:
            each.applied(done, conflicts=conflicts, unknown=unknown)

    def finished(self, messages: int, took_s: float) -> None:
        for each in self._observers:
            each.finished(messages, took_s)

    def sent_again(self, repeats: Sequence[Decision]) -> None:
        for each in self._observers:
            each.sent_again(repeats)

    def swept(self, due: int, late_s: float, took_s: float) -> None:
        for each in self._observers:
            each.swept(due, late_s, took_s)


class Unobserved:
    """Hears nothing: where nobody counts, and for observers that want to hear of some facts only."""

    def accepted(self, begun: Sequence[Decision], repeated: int) -> None:
        pass

    def applied(self, done: Sequence[Applied], *, conflicts: int, unknown: int) -> None:
        pass

    def finished(self, messages: int, took_s: float) -> None:
        pass

    def sent_again(self, repeats: Sequence[Decision]) -> None:
        pass

    def swept(self, due: int, late_s: float, took_s: float) -> None:
        pass

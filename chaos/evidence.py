"""What a run leaves behind, as plain values: what the checker reads, and nothing else.

Both modes make it: the simulated one from memory, the real one from MongoDB and from the load generator's own log.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Request:
    """A start that a client asked for, as the client's own log has it: written before it, and after each answer."""

    id: str  #: of the saga; the client chose it
    saga: str
    accepted: bool = False  #: some answer was 2xx
    answers: tuple[str, ...] = ()  #: the ids that the answers named; a repeat must name the same


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything."""

    definitions: Sequence[Json]  #: as the definitions' JSON has them
    sagas: Sequence[Json]  #: the documents, with their history
    ledger: Sequence[Json]  #: `{participant, saga_id, step, kind, key, amount}`, in the order of their commits
    balances: Mapping[tuple[str, str], int]  #: by participant and key
    openings: Mapping[tuple[str, str], int]  #: what each began with
    requests: Sequence[Request]
    messages: Mapping[str, int] = field(default_factory=dict)  #: commands and replies sent for each saga
    most_messages: int = 100  #: of these, for one saga
    most_stuck: int = 0  #: sagas that were ever stuck
    bugs: Sequence[str] = field(default=())  #: what was logged and never should be


@dataclass(frozen=True, slots=True)
class Violation:
    """Something that must never be."""

    invariant: str
    saga_id: str  #: "" where it is about no single saga
    detail: str

    def __str__(self) -> str:
        where = f" (saga {self.saga_id})" if self.saga_id else ""
        return f"{self.invariant}: {self.detail}{where}"

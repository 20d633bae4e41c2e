"""The in-memory twin of the dead letters, for tests and simulated failure runs. Same contract suite as MongoDB's."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from adapters.bus import Delivery
from adapters.clock import Clock
from adapters.errors import Unavailable
from orchestrator.dead_letters import DeadLetter, from_document, to_document


class MemoryDeadLetters:
    """Dead letters in a dictionary. `away` makes every call raise `Unavailable`."""

    def __init__(self, clock: Clock) -> None:
        self.letters: dict[str, DeadLetter] = {}
        self.away = False
        self._clock = clock

    async def __call__(self, delivery: Delivery, reason: str) -> None:
        self._answer()
        letter = from_document(to_document(delivery, reason) | {"at": self._clock.now()})
        self.letters.setdefault(letter.id, letter)

    async def page(self, after: tuple[datetime, str] | None, limit: int) -> Sequence[DeadLetter]:
        self._answer()
        found = sorted(self.letters.values(), key=lambda letter: (letter.at, letter.id), reverse=True)
        behind = [letter for letter in found if after is None or (letter.at, letter.id) < after]
        return [replace(letter, fields=None) for letter in behind[:limit]]

    async def get(self, letter_id: str) -> DeadLetter | None:
        self._answer()
        return self.letters.get(letter_id)

    async def waiting(self) -> Mapping[str, int]:
        self._answer()
        return Counter(letter.stream for letter in self.letters.values() if letter.redriven_at is None)

    async def mark_redriven(self, letter_id: str, at: datetime, by: str) -> None:
        self._answer()
        letter = self.letters.get(letter_id)
        if letter is not None:
            marked = replace(letter, redrives=letter.redrives + 1, redriven_at=at, redriven_by=by)
            self.letters[letter_id] = marked

    async def delete(self, letter_id: str) -> bool:
        self._answer()
        return self.letters.pop(letter_id, None) is not None

    def _answer(self) -> None:
        if self.away:
            raise Unavailable("the dead letters are away")

"""Sagas of any shape, from a notation: `shape("un|r")`.

`u` is a step with an undo, `n` one with `undo=None`, `|` the pivot, `r` a step after it. Without a `|` the last step is
the pivot. Step k is named `one`, `two`, …; it is done by participant `p-one`, whose reply fills the data field `one`.
"""

from dataclasses import dataclass
from typing import Any

from sagas import Command, Endpoint, Reply, Retry, Saga, SagaData, SagaInput, pivot, step, undo

NAMES = ("one", "two", "three", "four", "five")
BREAKS_NEXT = 13  #: in a fragile saga: a reply of this number makes the next command impossible to build
BREAKS_START = 665  #: in a fragile saga: an input of this number makes the first action impossible to build
BREAKS_UNDO = 666  #: in a fragile saga: an input of this number makes every compensation impossible to build


class Wish(SagaInput):
    number: int = 1


class Facts(SagaData):
    number: int = 1
    one: int | None = None
    two: int | None = None
    three: int | None = None
    four: int | None = None
    five: int | None = None


class Do(Command):
    number: int


class Undo(Command):
    number: int


class DoneOne(Reply):
    one: int


class DoneTwo(Reply):
    two: int


class DoneThree(Reply):
    three: int


class DoneFour(Reply):
    four: int


class DoneFive(Reply):
    five: int


class Undone(Reply):
    pass


DONE: dict[str, type[Reply]] = {
    "one": DoneOne,
    "two": DoneTwo,
    "three": DoneThree,
    "four": DoneFour,
    "five": DoneFive,
}


@dataclass(frozen=True)
class Fragile:
    """Builds a command, unless the data says otherwise."""

    command: type[Do] | type[Undo]
    before: str | None  #: the step whose reply may break it

    def __call__(self, data: Facts) -> Any:
        if self.before is not None and getattr(data, self.before) == BREAKS_NEXT:
            raise ZeroDivisionError("\ud800 cannot be built")
        breaks = BREAKS_UNDO if self.command is Undo else BREAKS_START
        if self.before is None and data.number == breaks:
            raise ZeroDivisionError("cannot be built")
        return self.command(number=data.number)


def shape(
    notation: str, *, attempts: int = 2, timeout: str | None = None, undo_attempts: int = 2, fragile: bool = False
) -> Saga:
    """The saga of that shape; `timeout` is its own deadline."""
    retry, undo_retry = Retry(attempts=attempts), Retry(attempts=undo_attempts)
    nodes: list[Any] = []
    names = iter(NAMES)
    before: str | None = None
    for letter in notation:
        if letter == "|":
            nodes.append(pivot())
            continue
        name = next(names)
        action = Endpoint(f"p-{name}", Do, DONE[name], name="do")
        reversal: Any = undo(
            Endpoint(f"p-{name}", Undo, Undone, name="undo"), Fragile(Undo, None) if fragile else None, retry=undo_retry
        )
        build = Fragile(Do, before) if fragile else None
        nodes.append(step(name, action, build, undo=reversal if letter == "u" else None, retry=retry))
        before = name
    return Saga("shaped", version=1, input=Wish, data=Facts, steps=nodes, timeout=timeout)

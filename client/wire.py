"""What goes to a saga service and comes back, and what a call needs besides: a clock, waiting, chance, ids.

Every call is written once, as an async function over a `Service`. One service really waits; the other blocks and never
suspends, so that a call over it is run by starting it (`finished`). That is all that the two clients do differently.
"""

from collections.abc import Coroutine, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    repeatable: bool = True  #: whether sending it twice does no more than sending it once
    wait_s: float = 0.0  #: how much longer than usual the answer may take, because the service was asked to wait


@dataclass(frozen=True, slots=True)
class Answer:
    """What the service said. The names of `headers` are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def is_success(self) -> bool:
        """Whether it did what was asked."""
        return 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Lost:
    """Nothing was said."""

    reason: str
    arrived: bool = True  #: whether the request may have arrived, and be done


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """How often a request is sent, and how long the pauses are: doubling, and shortened by chance.

    Where the service says when to come back (`Retry-After`), nobody comes earlier; if that is later than `longest_s`,
    the error is raised at once.
    """

    attempts: int = 5  #: in all; 1 never repeats
    first_s: float = 0.2
    longest_s: float = 10.0

    def __post_init__(self) -> None:
        if self.attempts < 1 or self.first_s <= 0 or self.longest_s < self.first_s:
            raise ValueError("Retries: at least one attempt, and 0 < first_s <= longest_s")

    def pause_s(self, number: int, chance: float) -> float:
        """The pause after that many attempts; `chance` is in [0, 1). At least half of the whole: nobody spins."""
        whole = min(self.first_s * 2.0 ** min(number - 1, 60), self.longest_s)
        return whole * (0.5 + chance / 2)


class Stream(Protocol):
    """An answer whose body is read piece by piece."""

    @property
    def answer(self) -> Answer | Lost:
        """How it begins; of anything but a success the whole."""
        ...

    async def read(self) -> bytes | Lost:
        """The next piece; empty at the end."""
        ...


class Service(Protocol):
    """A saga service, as the calls see it."""

    @property
    def url(self) -> str:
        """Where it is, for messages."""
        ...

    @property
    def retries(self) -> Retries:
        """How often requests are sent again."""
        ...

    async def send(self, request: Request) -> Answer | Lost:
        """Send this, once."""
        ...

    def open(self, request: Request, silence_s: float) -> AbstractAsyncContextManager[Stream]:
        """Send this and read on; a body that is silent for so long is lost."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait so long."""
        ...

    def now_s(self) -> float:
        """A clock that only goes forward."""
        ...

    def chance(self) -> float:
        """A random number, 0 ≤ it < 1."""
        ...

    def new_id(self) -> str:
        """An id that nobody else has."""
        ...


def finished(call: Coroutine[Any, Any, T]) -> T:
    """The result of a call over a service that blocks: it has one when it is started."""
    try:
        call.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    call.close()
    raise RuntimeError("a call over a blocking service has waited for an event loop")

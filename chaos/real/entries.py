"""Single entries of a run, on the wires to Redis: lost, or late, while their sender is told that they are there.

Redis gets such an entry under a key that nobody reads. So what is answered, and all that goes with it, is Redis's own.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from random import Random

import hiredis

from adapters.servers.redis import Refused
from adapters.streams.names import Streams
from chaos.faults import Fault, Point, Subject, What
from chaos.sim.bus import subject_of

ON_THE_WAY = frozenset({What.LOSE, What.DELAY})

_ASIDE = b"chaos:"  #: what a key that nobody reads begins with

Add = Callable[[str, Mapping[str, str]], None]  #: appends an entry to a stream; blocks
Told = Callable[[Fault, Subject], None]  #: is told what has struck


class Entries:
    """What befalls the entries of one run. A fault strikes once, or as often as it says, from when it is armed."""

    def __init__(self, faults: Sequence[Fault], add: Add, told: Told, rng: Random) -> None:
        self._faults = faults
        self._add = add
        self._told = told
        self._rng = rng
        self._streams = Streams()
        self._armed: list[int] = []
        self._passed: Counter[int] = Counter()
        self._struck: Counter[int] = Counter()
        self._healed = asyncio.Event()
        self._late: set[asyncio.Task[None]] = set()

    def arm(self, index: int) -> None:
        """From now on the fault may strike."""
        self._armed.append(index)

    async def heal(self) -> None:
        """Nothing strikes any more, and what is late arrives now."""
        self._armed.clear()
        self._healed.set()
        await asyncio.gather(*self._late)

    def requests(self) -> Callable[[bytes], bytes]:
        """What a connection's requests become, piece by piece; a command that is not whole waits for its rest."""
        reader = hiredis.Reader()

        def passing(piece: bytes) -> bytes:
            reader.feed(piece)
            whole = []
            while (command := reader.gets()) is not False:
                # The stub has a tuple of one in mind, the function takes any.
                whole.append(hiredis.pack_command(tuple(self._befall(command))))  # type: ignore[arg-type]
            return b"".join(whole)

        return passing

    def _befall(self, command: Sequence[bytes]) -> Sequence[bytes]:
        if not self._armed or command[0] != b"XADD" or b"*" not in command:
            return command
        stream, *pairs = [part.decode(errors="replace") for part in (command[1], *command[command.index(b"*") + 1 :])]
        fields = dict(zip(pairs[::2], pairs[1::2], strict=True))
        fault = self._strike(self._point(stream), subject_of(fields))
        if fault is None:
            return command
        if fault.what is What.DELAY:
            late = asyncio.create_task(self._later(fault.for_s, stream, fields))
            self._late.add(late)
            late.add_done_callback(self._late.discard)
        return [command[0], _ASIDE + command[1], *command[2:]]

    def _strike(self, point: Point | None, subject: Subject) -> Fault | None:
        for index in self._armed:
            fault = self._faults[index]
            if fault.point is point and fault.fits([subject]) and self._due(index, fault):
                self._struck[index] += 1
                self._told(fault, subject)
                return fault
        return None

    def _due(self, index: int, fault: Fault) -> bool:
        if self._struck[index] >= (fault.times or 1):
            return False
        self._passed[index] += 1
        return self._passed[index] > fault.skip and self._rng.random() < fault.probability

    async def _later(self, seconds: float, stream: str, fields: Mapping[str, str]) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._healed.wait()
        with suppress(OSError, Refused):  # Redis is away, or full: then the entry is lost after all.
            await asyncio.to_thread(self._add, stream, fields)

    def _point(self, stream: str) -> Point | None:
        if self._streams.is_commands(stream):
            return Point.COMMAND
        return Point.REPLY if self._streams.is_replies(stream) else None

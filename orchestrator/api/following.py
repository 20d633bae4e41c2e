"""What a listener is told: everything behind the event that it has seen last, each transition once, then what comes.

Generators of the blocks to send. What they raise before the first block is answered as a problem.
"""

from collections.abc import AsyncGenerator, Callable, Iterator, Sequence

from adapters.errors import PositionLost, Unavailable
from orchestrator.api import sse
from orchestrator.api.answers import is_saga_id, saga_not_found
from orchestrator.api.services import Services
from orchestrator.change_reader import News
from orchestrator.changes import Position, SagaEvent
from orchestrator.core.history import first_revision
from orchestrator.documents import Past
from orchestrator.listeners import Listener

NEARLY = 100  #: events in one look: fewer mean that little is missing any more
AGAIN_S = 1.0  #: pause before a server that is away is asked again
AHEAD_PINGS = 3  #: after as many signs of life, a position that is still ahead of the stream is none of ours

Blocks = AsyncGenerator[bytes]


class OneSaga:
    """One saga's transitions behind a revision."""

    def __init__(self, services: Services, listener: Listener, saga_id: str, revision: int) -> None:
        self._services = services
        self._listener = listener
        self._saga_id = saga_id
        self._revision = revision
        self._ended = False

    async def blocks(self) -> Blocks:
        """Until it has ended; nothing at all where the listener has seen that end already."""
        past = await self._past()
        if not past.state.status.ended:
            # First listen, then read: what is written in between is heard, and what was written before is read.
            await self._services.listeners.follow(self._listener, self._saga_id)
            past = await self._past()
        if past.state.status.ended and past.state.revision == self._revision:
            return
        yield sse.RETRY
        for block in self._told(past):
            yield block
        while not self._ended:
            async for block in self._heard(await self._listener.next()):
                yield block

    async def _read_again(self) -> Blocks:
        while True:
            try:
                past = await self._past()
            except Unavailable:
                yield sse.PING
                await self._services.listeners.clock.sleep(AGAIN_S)
            else:
                for block in self._told(past):
                    yield block
                return

    async def _past(self) -> Past:
        store = self._services.engine.store
        past = await store.history(self._saga_id) if is_saga_id(self._saga_id) else None
        if past is None:
            raise saga_not_found()
        return past

    def _told(self, past: Past) -> Iterator[bytes]:
        """What the saga's own history says of the time since the revision."""
        first, state = first_revision(past.transitions), past.state
        if not first - 1 <= self._revision <= state.revision:
            yield sse.reset({"truncated_before": first})
            self._revision = first - 1
        missed = [entry for entry in past.transitions if entry.revision > self._revision]
        for entry in missed:
            yield sse.transition(str(entry.revision), state.id, state.saga, state.version, entry)
        self._services.listeners.told(len(missed))
        self._revision = state.revision
        if state.status.ended:
            self._ended = True
            yield sse.end(state.status, state.revision)

    async def _heard(self, news: News) -> Blocks:
        if not news.events:
            yield sse.PING
        if news.lost:  # The saga itself knows.
            async for block in self._read_again():
                yield block
        for event in news.events:
            entry = event.transition
            if entry.revision <= self._revision:
                continue
            yield sse.transition(str(entry.revision), event.saga_id, event.saga, event.version, entry)
            self._services.listeners.told(1)
            self._revision = entry.revision
            if entry.status.ended:
                self._ended = True
                yield sse.end(entry.status, entry.revision)


class EverySaga:
    """The transitions of all sagas behind a position, of those that are wanted."""

    def __init__(
        self, services: Services, listener: Listener, position: Position | None, wanted: Callable[[SagaEvent], bool]
    ) -> None:
        self._listeners = services.listeners
        self._listener = listener
        self._asked = position
        self._at = position or Position("")
        self._wanted = wanted
        self._near = False
        self._ahead = 0

    async def blocks(self) -> Blocks:
        """Without an end."""
        if self._asked is None:
            self._at = await self._follow()
            yield sse.RETRY + sse.position(self._at.id)
        else:
            async for block in self._missed():
                yield block
        while True:
            if block := self._heard(await self._listener.next()):
                yield block

    async def _follow(self) -> Position:
        return await self._listeners.follow(self._listener)

    async def _missed(self) -> Blocks:
        """Catch up by itself, as fast as the client takes it; follow with the others when hardly anything is missing.

        What the others are told meanwhile is heard twice, and told once.
        """
        opening = sse.RETRY
        joined: Position | None = None
        while True:
            try:
                joined = joined or (await self._follow() if self._near else None)
                block = await self._look()
            except Unavailable:
                if opening:
                    raise
                block = b""
            yield opening + (block or sse.PING)
            if joined is not None and self._at.token >= joined.token and not self._at.told:
                return
            opening = b""
            if not block:
                await self._listeners.clock.sleep(AGAIN_S)

    async def _look(self) -> bytes:
        try:
            page = await self._listeners.missed(self._at)
        except PositionLost:
            self._at, self._near = await self._follow(), True
            return sse.reset({}, self._at.id)
        self._near = len(page.events) < NEARLY
        moved, self._at = page.position != self._at, page.position
        return self._shown(page.events) or (sse.position(self._at.id) if moved else b"")

    def _heard(self, news: News) -> bytes:
        if news.lost:
            self._at = news.position
            return sse.reset({}, self._at.id)
        if not news.events:
            return self._sign_of_life(news.position)
        fresh = [event for event in news.events if event.change > self._at.token]
        self._at = max(self._at, news.position, key=lambda position: position.token)
        return self._shown(fresh)

    def _sign_of_life(self, position: Position) -> bytes:
        if position.token >= self._at.token:
            self._at, self._ahead = position, 0
            return sse.position(position.id)
        self._ahead += 1
        if self._ahead < AHEAD_PINGS:  # It may come from another process, which has read a little more.
            return sse.PING
        self._at = position
        return sse.reset({}, position.id)

    def _shown(self, events: Sequence[SagaEvent]) -> bytes:
        wanted = [event for event in events if self._wanted(event)]
        self._listeners.told(len(wanted))
        return b"".join(
            sse.transition(event.id, event.saga_id, event.saga, event.version, event.transition) for event in wanted
        )

"""Watching sagas change: one stream of transitions out of as many connections as it takes.

Each connection begins behind the last transition that was read whole, so none is missed, and what is sent twice is
dropped here. Where the service can't go on from there, `EventsMissed` says so instead of silence.
"""

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing

from client import errors
from client.exchange import parsed, shaped
from client.models import Transition
from client.retrying import pause_before_next, retry_after_s
from client.sse import ServerEvent, SseParser, TooLong
from client.wire import Answer, Lost, Request, Service, Stream

SILENCE_S = 45.0  #: three of the service's pings, 15 s apart, did not come: the connection is dead
MAX_SEEN = 10_000  #: sagas whose newest revision is remembered, so that a repeat is recognised


async def watching(
    service: Service, request: Request, after: str | None, away_s: float
) -> AsyncGenerator[Transition, None]:
    """Transitions until the stream ends. Raises `SagaError`.

    A service that is not there in the beginning is `Unavailable` after the ordinary retries; one that goes away later
    may stay away for `away_s`.
    """
    watch = _Watch(service, request, after, away_s)
    while not watch.ended:
        async with service.open(watch.request(), SILENCE_S) as stream:
            pause_s = watch.pause_after(stream.answer)
            async with aclosing(watch.read(stream)) as transitions:
                async for transition in transitions:
                    yield transition
        if not watch.ended:
            await service.sleep(max(pause_s, watch.pause_s()))


class _Watch:
    """Where a watch is."""

    def __init__(self, service: Service, request: Request, after: str | None, away_s: float) -> None:
        self.ended = False
        self._service, self._request, self._away_s = service, request, away_s
        self._after = after
        self._heard_at_s: float | None = None
        self._failures = 0  #: connections in a row that told nothing
        self._retry_s = 0.0  #: what the stream itself asked for
        self._seen: dict[str, int] = {}

    def request(self) -> Request:
        """The next connection's."""
        behind = {"Last-Event-ID": self._after} if self._after else {}
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-store", **behind}
        return Request(self._request.method, self._request.path, self._request.query, headers=headers)

    def pause_after(self, found: Answer | Lost) -> float:
        """What this beginning of a connection asks for before the next one; raises where there is to be none."""
        self._failures += 1
        if isinstance(found, Answer) and found.is_success:
            self._check(found)
            return 0.0
        sent = 1 if self._may_stay_away() else self._failures
        if pause_before_next(self._request, found, sent, self._service.retries, 0.0) is None:
            raise errors.failed(self._request, found, self._service.url)
        return (retry_after_s(found) or 0.0) if isinstance(found, Answer) else 0.0

    def pause_s(self) -> float:
        """Before the next connection; longer where those before told nothing, so that nobody spins."""
        return max(self._service.retries.pause_s(max(self._failures, 1), self._service.chance()), self._retry_s)

    async def read(self, stream: Stream) -> AsyncGenerator[Transition, None]:
        """One connection's transitions, to its end, however that comes."""
        parser = SseParser(self._after or "")
        while not self.ended and isinstance(stream.answer, Answer) and stream.answer.is_success:
            chunk = await stream.read()
            if isinstance(chunk, Lost) or not chunk:
                return
            self._failures, self._heard_at_s = 0, self._service.now_s()
            for transition in self._transitions(parser, chunk):
                yield transition
                self._heard_at_s = self._service.now_s()  # However long the caller took over it.

    def _check(self, answer: Answer) -> None:
        if answer.status == 204:  # There is nothing more to say.
            self.ended = True
        elif not answer.headers.get("content-type", "").startswith("text/event-stream"):
            raise errors.UnexpectedAnswer(
                f"What answers at {self._service.url} sends no events. Is this the right URL?"
            )

    def _may_stay_away(self) -> bool:
        return self._heard_at_s is not None and self._service.now_s() - self._heard_at_s < self._away_s

    def _transitions(self, parser: SseParser, chunk: bytes) -> Iterator[Transition]:
        try:
            for event in parser.feed(chunk):
                yield from self._told(event)
        except TooLong as error:
            raise errors.UnexpectedAnswer(f"The service at {self._service.url} sent {error}.") from None
        self._after = parser.last_id or self._after
        self._retry_s = parser.retry_s or self._retry_s

    def _told(self, event: ServerEvent) -> Iterator[Transition]:
        match event.event:
            case "transition":
                found = self._transition(event)
                self._after = event.id or self._after
                if self._is_new(found):
                    yield found
            case "reset" if self._after:
                raise errors.EventsMissed(event.id if event.id != self._after else None)
            case "end":
                self.ended = True
            case _:
                pass  # Something newer, or a reset where nothing had been asked for.

    def _transition(self, event: ServerEvent) -> Transition:
        value = parsed(self._service, Answer(200, {}, event.data.encode()))
        return shaped(self._service, Transition, value).at_position(event.id or None)

    def _is_new(self, found: Transition) -> bool:
        newest = self._seen.pop(found.saga_id, 0)  # And in again at the end: the longest silent are forgotten first.
        self._seen[found.saga_id] = max(newest, found.revision)
        if len(self._seen) > MAX_SEEN:
            del self._seen[next(iter(self._seen))]
        return found.revision > newest

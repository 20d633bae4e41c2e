"""When a request is sent again, and how long before: pure, so that one table tests it."""

from client.wire import Answer, Lost, Request, Retries

#: Too many requests, or a gateway or the service itself says "not now".
_COME_BACK = frozenset({429, 502, 503, 504})
#: What the service says only before it has begun: then any request may be repeated.
_NOT_BEGUN = b'"/problems/overloaded"'
_TOO_MANY = 429  #: likewise


def pause_before_next(
    request: Request, found: Answer | Lost, number: int, retries: Retries, chance: float
) -> float | None:
    """How long to wait before the request is sent again; None where it must not be. `number` counts its sendings."""
    if number >= retries.attempts or not _may_repeat(request, found):
        return None
    asked_s = retry_after_s(found) if isinstance(found, Answer) else None
    if asked_s is not None and asked_s > retries.longest_s:
        return None
    return max(retries.pause_s(number, chance), asked_s or 0.0)


def _may_repeat(request: Request, found: Answer | Lost) -> bool:
    if isinstance(found, Lost):
        return request.repeatable or not found.arrived
    not_begun = found.status == _TOO_MANY or _NOT_BEGUN in found.body
    return found.status in _COME_BACK and (request.repeatable or not_begun)


def retry_after_s(answer: Answer) -> float | None:
    """`Retry-After` in seconds; None where it says none. A date is not understood: the service sends none."""
    said = answer.headers.get("retry-after", "").strip()
    return float(said) if said.isascii() and said.isdigit() and len(said) < 10 else None

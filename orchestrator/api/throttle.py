"""Turns away who asks too often, and tells everybody else how much is left."""

import asyncio
import math

from orchestrator.api.caller import Asked
from orchestrator.api.problems import Kind, Problem
from orchestrator.api.rates import Pace, Rates

EVERYBODY = ""


class Throttle:
    """The limits of one process; each of several orchestrators counts for itself."""

    def __init__(self, rates: Rates) -> None:
        self._total = Pace(rates.total) if rates.total else None
        self._keys = Pace(rates.per_key) if rates.per_key else None

    def total(self, asked: Asked) -> None:
        """Before it is known who asks; raises `Problem` where all together ask too often."""
        self._take(self._total, "total", EVERYBODY, asked)

    def key(self, asked: Asked) -> None:
        """Once it is known who asks; raises `Problem`."""
        self._take(self._keys, "key", asked.caller, asked)

    def _take(self, pace: Pace | None, name: str, who: str, asked: Asked) -> None:
        if pace is None:
            return
        taken = pace.take(who, asyncio.get_running_loop().time())
        # As draft-ietf-httpapi-ratelimit-headers-10 has them.
        window_s = max(1, math.ceil(pace.capacity * pace.interval_s))
        asked.rate = {
            "RateLimit": f'"{name}";r={taken.left};t={math.ceil(taken.full_s)}',
            "RateLimit-Policy": f'"{name}";q={pace.capacity};w={window_s}',
        }
        if taken.allowed:
            return
        whose = "this key" if name == "key" else "all callers together"
        said = f"More than {1 / pace.interval_s:g} requests a second from {whose}. Nothing was done."
        # A flood leaves no audit records; the metric of answers tells of it.
        raise Problem(Kind.RATE_LIMITED, said, headers={"Retry-After": str(max(1, math.ceil(taken.wait_s)))})

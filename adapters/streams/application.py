"""A bus as a FastStream application, for `faststream run` and the AsyncAPI document."""

from collections.abc import Awaitable, Callable

from faststream import FastStream

from adapters.streams.redis_bus import RedisBus

__all__ = ["FastStream", "application"]


def application(bus: RedisBus, *, on_shutdown: Callable[[], Awaitable[None]]) -> FastStream:
    """FastStream runs the process and its signals; the bus reads, heals and takes over as it does elsewhere."""
    return FastStream(bus.broker, on_startup=[bus.start], on_shutdown=[on_shutdown])

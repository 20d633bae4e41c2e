"""A bus as a FastStream application, for `faststream run` and the AsyncAPI document."""

from collections.abc import Awaitable, Callable

from faststream import FastStream

from adapters.streams.redis_bus import RedisBus

__all__ = ["FastStream", "application"]


def application(
    bus: RedisBus, *, on_startup: Callable[[], Awaitable[None]], on_shutdown: Callable[[], Awaitable[None]]
) -> FastStream:
    """FastStream runs the process and its signals; `on_startup` starts the bus, which reads, heals and takes over."""
    return FastStream(bus.broker, on_startup=[on_startup], on_shutdown=[on_shutdown])

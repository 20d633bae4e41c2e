"""Sets a Redis up: its users as their file says now, and the groups of our streams. For `saga init`."""

from collections.abc import Sequence

from adapters.streams.connection import close, connect, translating
from adapters.streams.names import Streams
from adapters.streams.publisher import create_group
from adapters.streams.settings import StreamSettings


async def set_up(url: str, streams: Streams, participants: Sequence[str], *, users: bool) -> list[str]:
    """Make the groups; the streams that had none. `users`: first read the file of users again.

    Raises `Unavailable`.
    """
    client = connect(url, StreamSettings())
    wholes = [streams.replies, *(streams.commands(name) for name in participants)]
    names = [name for whole in wholes for name in streams.all_of(whole)]
    try:
        with translating():
            if users:
                await client.acl_load()
            made = [await create_group(client, name, str(streams.own_group(name))) for name in names]
            return [name for name, new in zip(names, made, strict=True) if new]
    finally:
        await close(client)

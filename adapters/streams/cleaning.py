"""Removes everything that a bus has made under a prefix, for whoever made the prefix up. Never for a service's own."""

from adapters.streams.connection import close, connect, translating
from adapters.streams.settings import StreamSettings

_PAGE = 1_000


async def remove_all(url: str, prefix: str) -> None:
    """Remove every key that begins so. Raises `Unavailable`, and `ValueError` without a prefix."""
    if not prefix:
        raise ValueError("without a prefix this would remove everything on that Redis")
    client = connect(url, StreamSettings())
    try:
        with translating():
            escaped = "".join(f"\\{letter}" if letter in "*?[]^\\" else letter for letter in prefix)
            found = [key async for key in client.scan_iter(match=f"{escaped}*", count=_PAGE)]
            for first in range(0, len(found), _PAGE):
                pipeline = client.pipeline(transaction=False)
                for key in found[first : first + _PAGE]:
                    pipeline.execute_command("UNLINK", key)
                await pipeline.execute()
    finally:
        await close(client)

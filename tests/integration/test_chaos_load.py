"""The clients of real runs: they ask again until they are accepted, and their log has every request and answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from chaos.evidence import Request
from chaos.real.evidence import requests
from chaos.real.load import Load, Start
from chaos.real.load_process import GaveUp, LoadProcess

ACCEPTED = '{"id": "saga-0"}'


@asynccontextmanager
async def answering(*answers: tuple[int, str]) -> AsyncIterator[str]:
    """A service with these answers, one connection after the other; the last one for ever."""
    left = list(answers)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        status, body = left.pop(0) if len(left) > 1 else left[0]
        head = f"HTTP/1.1 {status} Said\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(f"{head}{body}".encode())
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def begun(directory: Path, url: str) -> LoadProcess:
    starts = [Start("saga-0", {}, after_s=0)]
    return await LoadProcess.begin(Load("order", [url], str(directory / "load.log"), 1, starts), directory)


async def test_a_client_asks_again_with_the_same_id_until_it_is_accepted(tmp_path: Path) -> None:
    async with answering((503, "{}"), (503, "{}"), (202, ACCEPTED)) as url:
        load = await begun(tmp_path, url)
        assert await load.ended(within_s=30)

    assert requests(tmp_path / "load.log", "order") == [Request("saga-0", "order", True, ("saga-0",))]
    assert (tmp_path / "load.log").read_text().count('"asked"') == 3


async def test_a_client_that_is_refused_for_good_says_so(tmp_path: Path) -> None:
    async with answering((422, '{"title": "wrong"}')) as url:
        load = await begun(tmp_path, url)
        with pytest.raises(GaveUp, match="saga-0 is refused with 422"):
            await load.ended(within_s=30)


async def test_clients_that_are_never_accepted_are_told_of(tmp_path: Path) -> None:
    async with answering((503, "{}")) as url:
        load = await begun(tmp_path, url)
        try:
            assert not await load.ended(within_s=1.5)
        finally:
            load.kill()
            with pytest.raises(GaveUp):
                await load.ended(within_s=10)

    assert not any(request.accepted for request in requests(tmp_path / "load.log", "order"))

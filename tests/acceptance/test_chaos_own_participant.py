"""A participant of the user's own on real servers, as docs/failure-runs.md has it: found to be wrong, and mended."""

import os
from pathlib import Path

import pytest

from support.commandline import CommandLine
from support.documents import Document
from support.source import ROOT

RUN = ["chaos", "run", "rooms.yaml", "--mode", "real", "--saga", "trip:trip", "--participant", "hotel:hotel"]


@pytest.mark.skipif(not os.environ.get("SAGA_SOAK"), reason="two real runs: with SAGA_SOAK=1")
@pytest.mark.timeout(400)
def test_the_mistake_of_the_document_is_found_and_mended_it_holds(server_directory: Path) -> None:
    for name in ("testing-your-saga.md", "failure-runs.md"):
        for block in Document(ROOT / "docs" / name).blocks:
            if block.file in ("trip.py", "hotel.py", "rooms.yaml"):
                (server_directory / block.file).write_text(block.text)
    line = CommandLine(server_directory)

    red = line.run(*RUN, within_s=180)

    assert red.returncode == 1, red.stdout + red.stderr
    assert "rooms: balances are sums: hotel: " in red.stderr

    hotel = server_directory / "hotel.py"
    mistaken = hotel.read_text()
    hotel.write_text(mistaken.replace("upsert=True)", "upsert=True, session=tx.session)"))
    assert hotel.read_text() != mistaken

    green = line.run(*RUN, within_s=180)

    assert green.returncode == 0, green.stdout + green.stderr

"""A participant of the user's own on real servers, as docs/failure-runs.md has it: found to be wrong, and mended."""

import os
from pathlib import Path

import pytest

from support.commandline import CommandLine
from support.documents import Document
from support.source import ROOT

RUN = ["chaos", "run", "--mode", "real", "--saga", "trip"]
ROOMS, SEATS = [*RUN, "rooms.yaml", "--participant", "hotel"], [*RUN, "seats.yaml", "--participant", "airline"]

pytestmark = [
    pytest.mark.skipif(not os.environ.get("SAGA_SOAK"), reason="two real runs each: with SAGA_SOAK=1"),
    pytest.mark.timeout(400),
]


@pytest.fixture
def folder(server_directory: Path) -> Path:
    """A user's, with the files of the documents."""
    for name in ("testing-your-saga.md", "failure-runs.md"):
        for block in Document(ROOT / "docs" / name).blocks:
            if block.file in ("trip.py", "hotel.py", "rooms.yaml", "airline.py", "seats.yaml"):
                (server_directory / block.file).write_text(block.text)
    return server_directory


def test_the_mistake_of_the_document_is_found_and_mended_it_holds(folder: Path) -> None:
    line = CommandLine(folder)

    red = line.run(*ROOMS, within_s=180)

    assert red.returncode == 1, red.stdout + red.stderr
    assert "rooms: balances are sums: hotel: " in red.stderr

    hotel = folder / "hotel.py"
    mistaken = hotel.read_text()
    hotel.write_text(mistaken.replace("upsert=True)", "upsert=True, session=tx.session)"))
    assert hotel.read_text() != mistaken

    green = line.run(*ROOMS, within_s=180)

    assert green.returncode == 0, green.stdout + green.stderr


def test_calls_whose_answers_are_lost_happen_once_unless_each_attempt_has_a_key_of_its_own(folder: Path) -> None:
    line = CommandLine(folder)

    green = line.run(*SEATS, within_s=180)

    assert green.returncode == 0, green.stdout + green.stderr

    airline = folder / "airline.py"
    right = airline.read_text()
    airline.write_text(
        right.replace("context, context.idempotency_key", "context, f'{context.command_id}/{context.attempt}'")
    )
    assert airline.read_text() != right

    red = line.run(*SEATS, within_s=180)

    assert red.returncode == 1, red.stdout + red.stderr
    assert "effects happen once: the action of book-seat on " in red.stderr

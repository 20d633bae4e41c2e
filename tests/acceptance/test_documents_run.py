"""The documents tell the truth: what they tell their reader to run, runs, and shows what they say."""

import shutil
from pathlib import Path

import pytest

from support.commandline import CommandLine
from support.documents import Document, documents, replay


@pytest.mark.timeout(400)
@pytest.mark.skipif(not shutil.which("curl"), reason="the examples use curl")
@pytest.mark.parametrize("document", [each for each in documents() if each.runs], ids=lambda each: each.name)
async def test_every_command_runs_and_shows_what_the_document_says(document: Document, server_directory: Path) -> None:
    await replay(document, CommandLine(server_directory))

"""Counts what is sent for each saga: every process writes a line for each command and reply that it has published.

The files are beside the plan. What a process wrote before it was killed stays.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from adapters.bus import Entry
from adapters.errors import Unavailable
from adapters.streams.names import Streams
from chaos.sim.bus import subject_of


class Sent:
    """What one process has published."""

    def __init__(self, directory: Path, who: str) -> None:
        self._file = directory / f"{who}.sent"
        self._streams = Streams()

    def note(self, entries: Sequence[Entry], results: Sequence[Unavailable | None]) -> None:
        """Add those that are on a stream of commands or replies now."""
        sent = [entry for entry, error in zip(entries, results, strict=True) if error is None]
        about = [subject_of(entry.fields).saga_id for entry in sent if self._streams.own_group(entry.stream)]
        if about:
            with self._file.open("a") as lines:
                lines.writelines(f"{saga_id}\n" for saga_id in about)


def messages(directory: Path) -> Counter[str]:
    """How many commands and replies were sent for each saga."""
    return Counter(line for file in directory.glob("*.sent") for line in file.read_text().splitlines())

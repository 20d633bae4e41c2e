"""Which worker runs what: the tests of a file one after the other, for they share servers; long ones first.

What can be cut into any number of pieces, the simulated seeds, comes last, and fills whatever is left.
"""

from collections.abc import Iterable

import pytest
from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]  # xdist has no types

SEEDS = "test_seeds.py"


class Scheduling(LoadFileScheduling):  # type: ignore[misc]
    """By file; of the seeds each test by itself."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return nodeid if file.endswith(SEEDS) else file


def in_order(items: Iterable[pytest.Item]) -> list[pytest.Item]:
    """The files with slow tests first, then all others, then the seeds."""
    files = {item.path for item in items if item.get_closest_marker("slow")}
    return sorted(items, key=lambda item: 2 if item.path.name == SEEDS else item.path not in files)

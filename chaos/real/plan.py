"""What is to strike inside the processes of a run, and what has: files, because the processes share nothing else.

A strike is claimed by making its file, which succeeds once in the whole run, before it is carried out. So a process
that kills itself has said why, and the one that is started in its place doesn't do it again.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from chaos.faults import Fault, Point, What

_PLAN = "plan.json"
_HEALED = "healed"


@dataclass(frozen=True, slots=True)
class Strike:
    """A fault that has struck, or is about to this very moment."""

    fault: Fault
    who: str  #: the process
    at: float  #: seconds since 1970
    about: str = ""  #: a command id


def to_json(fault: Fault) -> dict[str, Any]:
    """The fault as JSON."""
    return asdict(fault)


def from_json(written: Mapping[str, Any]) -> Fault:
    """The fault that was written so."""
    return Fault(**{**written, "what": What(written["what"]), "point": Point(written["point"])})


class Plan:
    """The plan in one directory."""

    def __init__(self, directory: Path, faults: Sequence[Fault], seed: int) -> None:
        self.directory = directory
        self.faults = faults
        self.seed = seed

    @classmethod
    def write(cls, directory: Path, faults: Sequence[Fault], seed: int) -> "Plan":
        """Make the plan of a run."""
        directory.mkdir(parents=True)
        (directory / _PLAN).write_text(json.dumps({"seed": seed, "faults": [to_json(fault) for fault in faults]}))
        return cls(directory, faults, seed)

    @classmethod
    def read(cls, directory: Path) -> "Plan":
        """The plan as a process finds it."""
        written = json.loads((directory / _PLAN).read_text())
        return cls(directory, [from_json(fault) for fault in written["faults"]], written["seed"])

    def arm(self, index: int) -> None:
        """From now on the fault may strike."""
        (self.directory / f"{index}.armed").touch()

    def is_armed(self, index: int) -> bool:
        """Whether it may."""
        return (self.directory / f"{index}.armed").exists()

    def claim(self, index: int, strike: Strike) -> bool:
        """Whether this process may strike, with one of the fault's so many times."""
        if self.healed:
            return False
        for number in range(self.faults[index].times or 1):
            try:
                file = os.open(self.directory / f"{index}.{number}.strike", os.O_WRONLY | os.O_CREAT | os.O_EXCL)
            except FileExistsError:
                continue
            with os.fdopen(file, "w") as written:
                written.write(json.dumps({"who": strike.who, "at": strike.at, "about": strike.about}))
            return True
        return False

    def strikes(self) -> Iterator[Strike]:
        """What has struck so far. One that is being written at this moment comes next time."""
        for file in sorted(self.directory.glob("*.strike")):
            if text := file.read_text():
                yield Strike(self.faults[int(file.name.split(".")[0])], **json.loads(text))

    @property
    def healed(self) -> bool:
        """Whether nothing strikes any more."""
        return (self.directory / _HEALED).exists()

    def heal(self) -> None:
        """Nothing strikes any more."""
        (self.directory / _HEALED).touch()

"""The mistakes of `planted_mistakes.py` that real servers and processes can show, each with the run that shows it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from chaos.faults import Fault
from chaos.real.catalogue import BY_NAME
from chaos.real.setup import Setup
from support.planted import Edit, plant
from support.planted_mistakes import PLANTED

_OF = {planted.name: planted for planted in PLANTED}
_STORE, _ENGINE, _MONGO = "orchestrator/store.py", "orchestrator/engine.py", "adapters/mongo.py"
_MAJORITY, _PRIMARY = 'write_concern=WriteConcern("majority", j=True),', "write_concern=WriteConcern(1),"


@dataclass(frozen=True)
class PlantedReal:
    """A mistake; without `edits` of its own the one of the same name in the simulation."""

    name: str
    shows: Sequence[str]  #: invariants, of which it violates at least one
    faults: Sequence[Fault]
    edits: Sequence[Edit] = ()
    options: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name

    def setup(self, source: Path | None = None) -> Setup:
        """The run that shows it; `source` is a copy of the project in which to plant it."""
        if source is not None:
            plant(self.edits or _OF[self.name].edits, source)
        hasty = {"saga": "support.hasty:hasty", "participants": ["support.hasty:desk"], "sagas": 100, "per_s": 5.0}
        return Setup(**{**hasty, **self.options}, faults=self.faults, services_from=source, heal_within_s=20)


def _thrice(name: str, step: str | None = None, kind: str = "action", *, for_s: float | None = None) -> Sequence[Fault]:
    """A fault at three moments; where a step is given, of its action or compensation."""
    known = BY_NAME[name]
    aimed = known.aimed(step, kind) if step else known
    return [aimed if for_s is None else replace(aimed, for_s=for_s)] * 3


PLANTED_REAL = (
    PlantedReal(
        "no inbox: a repeat runs again",
        ["effects happen once"],
        _thrice("repeat command", for_s=0.5),
        options={"sagas": 80, "per_s": 10.0},
    ),
    PlantedReal(
        "the inbox is not atomic with the effect",
        ["compensated means undone"],
        _thrice("kill before participant commit", "book"),
    ),
    PlantedReal(
        "the tombstone has an id of its own",
        ["compensated means undone"],
        _thrice("pause before participant commit", "book", for_s=1.5),
        options={"cancel_rate": 1.0},
    ),
    PlantedReal(
        "no tombstone",
        ["compensated means undone"],
        _thrice("pause before participant handle", "book", for_s=4),
    ),
    PlantedReal(
        "a null compensation runs the handler",
        ["only effects are undone, newest first"],
        _thrice("pause before participant handle", "book", for_s=4),
    ),
    PlantedReal(
        "a step that stayed silent is not compensated",
        ["compensated means undone"],
        _thrice("pause after participant commit", "book", for_s=4),
    ),
    PlantedReal(
        "each attempt has an id of its own",
        ["effects happen once"],
        _thrice("pause after participant commit", "pay", for_s=4),
    ),
    PlantedReal(
        "compensations go oldest first",
        ["compensated means undone"],
        _thrice("pause after participant commit", "pay", for_s=3),
        options={"cancel_rate": 1.0},
    ),
    PlantedReal(
        "a late success turns a compensating saga forward",
        ["completed means done", "histories are whole"],
        [
            *_thrice("pause after participant commit", "book", for_s=2),
            *_thrice("pause before participant handle", "book", "compensation", for_s=4),
        ],
        options={"cancel_rate": 1.0, "sagas": 150},
    ),
    PlantedReal(
        "no compare-and-set",
        ["histories are whole"],
        _thrice("pause before orchestrator save", "book", for_s=1.5),
        [Edit(_STORE, '{"_id": change.before.id, "revision": change.before.revision}', '{"_id": change.before.id}')],
        {"cancel_rate": 1.0},
    ),
    PlantedReal(
        "commands are published before the save",
        ["compensated means undone"],
        _thrice("pause before orchestrator save", "book", for_s=1.5),
        options={"cancel_rate": 1.0},
    ),
    PlantedReal(
        "a start is answered before it is stored",
        ["accepted sagas exist"],
        _thrice("refuse orchestrator insert"),
        [
            Edit(
                _ENGINE,
                "        there = await self.store.insert([decision.state for decision in decisions])\n",
                "        storing = asyncio.create_task(self.store.insert([decision.state for decision in decisions]))\n"
                "        storing.add_done_callback(lambda done: done.exception())\n"
                "        there: list[SagaState | None] = [None] * len(decisions)\n",
            ),
            Edit(
                _ENGINE, "from collections.abc import Iterable", "import asyncio\nfrom collections.abc import Iterable"
            ),
        ],
    ),
    PlantedReal(
        "writes are confirmed by the primary alone",
        ["accepted sagas exist", "ledgers and sagas agree", "completed means done"],
        [*_thrice("kill primary"), *_thrice("kill primary")],  # What is lost with one is a matter of milliseconds.
        [
            Edit(_MONGO, f"{_MAJORITY}\n            read_concern=", f"{_PRIMARY}\n            read_concern="),
            Edit(_MONGO, f'("snapshot"),\n            {_MAJORITY}', f'("snapshot"),\n            {_PRIMARY}'),
        ],
        {"saga": "sagas.order:order", "participants": (), "members": 3, "per_s": 20, "sagas": 1400},
    ),
)

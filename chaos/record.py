"""A run as a file, so that it can be repeated: `saga chaos replay FILE`."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from chaos.invariants import found
from chaos.scenario import InvalidScenario, Scenario
from chaos.sim.run import Result, run
from sagas import Saga
from sagas.imports import named


@dataclass(frozen=True, slots=True)
class Record:
    """What has to be known to run it again."""

    saga: str  #: module:attribute
    seed: int
    scenario: Scenario
    violations: tuple[str, ...] = ()

    @classmethod
    def of(cls, saga: str, result: Result) -> "Record":
        """The record of a run."""
        scenario = Scenario.of("recorded", result.setup)
        return cls(saga, result.seed, scenario, tuple(map(str, result.violations)))

    def run(self, invariants: Sequence[str] = ()) -> Result:
        """Again, maybe with more invariants. Raises `InvalidScenario`, `InvalidDefinition`."""
        setup = self.scenario.setup(named(self.saga, Saga))
        return run(replace(setup, invariants=found(invariants, setup.invariants)), self.seed)

    def write(self, path: Path) -> None:
        """To a file."""
        told = {"saga": self.saga, "seed": self.seed, "scenario": self.scenario.to_json()}
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({**told, "violations": self.violations}, indent=2) + "\n")

    @classmethod
    def read(cls, path: Path) -> "Record":
        """From a file. Raises `InvalidScenario`."""
        try:
            read: Any = json.loads(path.read_text())
            scenario = Scenario.parse(read["scenario"], str(path))
            return cls(str(read["saga"]), int(read["seed"]), scenario, tuple(map(str, read.get("violations", ()))))
        except OSError as error:
            raise InvalidScenario(f"{path}: {error.strerror}") from error
        except (ValueError, KeyError, TypeError) as error:
            if isinstance(error, InvalidScenario):
                raise
            raise InvalidScenario(f"{path} is no recorded run: {error!r}") from error

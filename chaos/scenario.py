"""A scenario: what a run consists of, as people write it down (YAML or JSON), checked before anything is run.

name: a bus that loses and repeats
sagas: 20
reject_rate: 0.2
faults:
  - {fault: lose command, probability: 0.1}
  - {fault: kill after orchestrator save, step: charge-payment, kind: action, times: 1}
"""

import json
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from chaos.faults import BY_NAME, Fault
from chaos.invariants import Invariant
from chaos.real.catalogue import BY_NAME as REAL_BY_NAME
from chaos.sim.world import Setup
from chaos.swarm import next_version
from sagas import Saga


class InvalidScenario(ValueError):
    """A scenario that can't be run; the message says where, and what to write instead."""


def _instead(name: str, catalogue: Mapping[str, Fault]) -> str:
    """What a catalogue has of the same kind or at the same place as a fault that is not in it; else all of it."""
    lacking = (BY_NAME | REAL_BY_NAME)[name]
    alike = [one for one, fault in catalogue.items() if fault.what is lacking.what or fault.point is lacking.point]
    return f"it has {', '.join(alike or catalogue)}"


class Strike(BaseModel):
    """One fault of a scenario."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    fault: str = Field(description="Its name, as `saga chaos ls` lists them.")
    step: str | None = Field(None, description="Only commands of this step.")
    kind: Literal["action", "compensation", "revoke"] | None = Field(None, description="Only commands of this kind.")
    probability: float = Field(1.0, gt=0, le=1, description="Drawn wherever it fits.")
    skip: int = Field(0, ge=0, le=1_000_000, description="So many fitting moments pass first.")
    times: int | None = Field(None, ge=1, le=1_000_000, description="At most so many strikes.")
    for_s: float | None = Field(None, ge=0, le=3_600, description="How long it lasts; each fault has its own default.")

    @field_validator("fault")
    @classmethod
    def _is_known(cls, name: str) -> str:
        if name not in BY_NAME and name not in REAL_BY_NAME:
            near = get_close_matches(name, [*BY_NAME, *REAL_BY_NAME], n=1)
            meant = f"; did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"there is no fault {name!r}{meant}; `saga chaos ls` lists them")
        return name

    def to_fault(self, catalogue: Mapping[str, Fault] = BY_NAME, who: str = "a simulated run") -> Fault:
        """As the language of faults has it. Raises `InvalidScenario` where that kind of run has no such fault."""
        usual = catalogue.get(self.fault)
        if usual is None:
            raise InvalidScenario(f"{who} has no fault {self.fault!r}; {_instead(self.fault, catalogue)}")
        return Fault(
            usual.what,
            usual.point,
            step=self.step,
            kind=self.kind,
            probability=self.probability,
            skip=self.skip,
            times=self.times,
            for_s=usual.for_s if self.for_s is None else self.for_s,
        )

    @classmethod
    def of(cls, fault: Fault) -> "Strike":
        """From the language of faults."""
        return cls(
            fault=fault.name,
            step=fault.step,
            kind=fault.kind,  # type: ignore[arg-type]  # checked by the model
            probability=fault.probability,
            skip=fault.skip,
            times=fault.times,
            for_s=fault.for_s,
        )


#: Fields whose values a setup has in another form.
_NOT_AS_IT_IS = {"name", "members", "redis", "faults", "upgrading", "rejecting", "external", "invariants"}


class Scenario(BaseModel):
    """A whole scenario. What it does not say is as quiet as can be."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field("unnamed", max_length=200)
    sagas: int = Field(10, ge=1, le=100_000, description="How many are started.")
    begun_within_s: float = Field(10.0, ge=0, le=3_600, description="Over how long.")
    rejecting: tuple[str, ...] = Field((), description="Steps that are always rejected.")
    stock: int | None = Field(None, ge=0, description="What there is for the first step, for all sagas together.")
    reject_rate: float = Field(0.0, ge=0, le=1, description="How many actions up to the pivot are rejected.")
    cancel_rate: float = Field(0.0, ge=0, le=1, description="How many sagas are cancelled.")
    interfering: bool = Field(False, description="An operator cancels, retries and aborts at any moment.")
    upgrading: bool = Field(False, description="A second version is rolled out, one orchestrator after the other.")
    orchestrators: int = Field(2, ge=1, le=16)
    instances: int = Field(2, ge=1, le=16, description="Processes of each participant.")
    members: Literal[1, 3] = Field(1, description="Of MongoDB's replica set, in a real run.")
    redis: Literal["one", "sentinel", "cluster"] = Field("one", description="What Redis is made of, in a real run.")
    participants_late_s: float = Field(0.0, ge=0, le=3_600, description="They begin so much later than all others.")
    batch: bool = Field(True, description="Whether the participants' handlers take batches.")
    external: tuple[str, ...] = Field((), description="Steps whose effects are outside the database.")
    skew_s: float = Field(0.0, ge=0, le=3_600, description="How far apart the processes' clocks are, at most.")
    troubled_s: float = Field(90.0, ge=1, le=86_400, description="How long faults may strike.")
    heal_within_s: float = Field(3_600.0, ge=1, le=864_000, description="How long everything may take to end then.")
    most_messages: int = Field(100, ge=1, description="Commands and replies for one saga, at most.")
    most_stuck: int = Field(0, ge=0, description="Sagas that may ever be stuck.")
    invariants: tuple[str, ...] = Field((), description="Of your own, as module:function, beside the usual ones.")
    faults: tuple[Strike, ...] = ()

    @classmethod
    def load(cls, path: Path) -> "Scenario":
        """From a file, YAML or JSON; called like the file, unless it says otherwise. Raises `InvalidScenario`."""
        try:
            read = yaml.safe_load(path.read_text())
        except OSError as error:
            raise InvalidScenario(f"{path}: {error.strerror}") from error
        except yaml.YAMLError as error:
            raise InvalidScenario(f"{path} is not YAML: {error}") from error
        scenario = cls.parse(read, str(path))
        return scenario if "name" in scenario.model_fields_set else scenario.model_copy(update={"name": path.stem})

    @classmethod
    def parse(cls, read: Any, where: str) -> "Scenario":
        """From what was read. Raises `InvalidScenario`."""
        if not isinstance(read, Mapping):
            raise InvalidScenario(f"{where}: a scenario is a mapping, like `sagas: 20`")
        try:
            return cls.model_validate(read)
        except ValidationError as error:
            faults = [f"  {'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
            raise InvalidScenario("\n".join([f"{where}:", *faults])) from error

    def setup(self, saga: Saga) -> Setup:
        """The simulated run of a saga.

        Raises `InvalidScenario` where it names a step or a fault that is not there, or is for real runs only;
        `InvalidDefinition` where an invariant is not there.
        """
        self.check_steps(saga)
        if self.members > 1:
            raise InvalidScenario(f"{self.name}: members is for real runs; a simulated MongoDB is one")
        if self.redis != "one":
            raise InvalidScenario(f"{self.name}: redis is for real runs; a simulated Redis is one")
        given = self.model_dump(exclude=_NOT_AS_IT_IS)
        return Setup(
            saga=saga,
            newer=next_version(saga) if self.upgrading else None,
            rejecting=frozenset(self.rejecting),
            external=self.external,
            faults=tuple(strike.to_fault(BY_NAME, f"{self.name}: a simulated run") for strike in self.faults),
            invariants=tuple(map(Invariant.named, self.invariants)),
            **given,
        )

    def check_steps(self, saga: Saga) -> None:
        """Raises `InvalidScenario` where it names a step that the saga doesn't have."""
        known = {step.name for step in saga.steps}
        named = {*self.rejecting, *self.external, *(strike.step for strike in self.faults if strike.step)}
        if unknown := sorted(named - known):
            steps = ", ".join(step.name for step in saga.steps)
            raise InvalidScenario(f"{self.name}: {saga.name} has no step {unknown[0]!r}; its steps: {steps}")

    @classmethod
    def of(cls, name: str, setup: Setup) -> "Scenario":
        """The scenario that a setup came from, or could have come from."""
        same = set(cls.model_fields) - _NOT_AS_IT_IS
        return cls(
            name=name,
            upgrading=setup.newer is not None,
            rejecting=tuple(sorted(setup.rejecting)),
            external=tuple(setup.external),
            faults=tuple(map(Strike.of, setup.faults)),
            invariants=tuple(invariant.reference for invariant in setup.invariants),
            **{field: getattr(setup, field) for field in same},
        )

    def to_json(self) -> dict[str, Any]:
        """Only what differs from the defaults."""
        return dict(json.loads(self.model_dump_json(exclude_defaults=True)))

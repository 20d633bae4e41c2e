"""What a run of the suite measures, with how many sagas, and in which turns."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cli.bench.report import Load
from cli.tool_commands import Via

IN_FLIGHT = 400


@dataclass(frozen=True, slots=True)
class Size:
    """How much of it."""

    rounds: int = 5  #: of what goals are about; every other one is of everything
    sagas: int = 6_000  #: of a measurement in batches
    posts: int = 3_000
    alone: int = 300  #: one after the other
    open_s: float = 10.0  #: how long each rate is offered
    half_s: float = 65.0  #: half load: MongoDB rests for 60 s between checkpoints, so one of them is always in it
    half_deployed_s: float = 65.0  #: the same with the orchestrators of a deployment


QUICK = Size(1, 200, 60, 10, 1.0, 2.0, 2.0)
LONGER = Size(rounds=1, half_s=600.0)


@dataclass(frozen=True, slots=True)
class Case:
    """One measurement."""

    name: str
    load: Load
    sagas: int
    declined: float = 0.0
    products: int = 100
    orchestrators: int = 1
    against: "Case | None" = None  #: it counts as a share of this one, measured right before and right behind it


FLOOR = "floor"
BATCH = "batch"
ALONE = "alone"
HALF = "open-50%"
DEPLOYED = 2  #: orchestrators, as in compose.yaml


def goals(size: Size) -> Iterator[Case]:
    """Those that goals are about and that wait for sagas to end before they start others."""
    in_process = Load(Via.ENGINE, IN_FLIGHT)
    batches = Load(Via.BATCH, IN_FLIGHT)
    floor = Case(FLOOR, in_process, size.sagas)
    batch = Case(BATCH, batches, size.sagas, against=floor)
    post = Case("post", Load(Via.POST, IN_FLIGHT), size.posts, against=floor)
    yield Case("engine", in_process, size.sagas, against=floor)
    yield batch
    yield post
    yield deployed(batch)
    yield deployed(post)
    yield Case(ALONE, Load(Via.POST, 1), size.alone)
    yield Case("declined-10%", batches, size.sagas, declined=0.1, against=batch)
    yield Case("orchestrators-4", batches, size.sagas, orchestrators=4, against=batch)


def deployed(case: Case) -> Case:
    """The same with as many orchestrators as compose.yaml starts."""
    return replace(case, name=f"deployed-{case.name}", orchestrators=DEPLOYED)


def closed(size: Size) -> Iterator[Case]:
    """All that wait so."""
    yield from goals(size)
    batches = Load(Via.BATCH, IN_FLIGHT)
    for count in (32, 256, 1_024):
        yield Case(f"in-flight-{count}", Load(Via.BATCH, count), size.sagas)
    yield Case("declined-50%", batches, size.sagas, declined=0.5)
    yield Case("hot", batches, size.sagas, products=1)


OTHER_DRIVER = {"SAGA_MONGO_DRIVER": "pymongo"}


def with_other_driver(size: Size) -> Iterator[Case]:
    """The same as in `goals`, for services with these settings."""
    for case in goals(size):
        if case.name in (BATCH, "post", ALONE):
            yield replace(case, name=f"pymongo-{case.name}")


def offered(size: Size, maximum: float) -> Iterator[Case]:
    """Those that wait for nothing: shares of what was reached in batches."""
    for share in (0.1, 0.25, 0.5, 0.75, 0.9):
        name = f"open-{share:.0%}"
        yield at_rate(name, maximum * share, size.half_s if name == HALF else size.open_s)
        if name == HALF:
            yield deployed(at_rate(name, maximum * share, size.half_deployed_s))


def at_rate(name: str, rate: float, seconds: float) -> Case:
    """So many a second for so long."""
    rate = max(1.0, round(rate, 1))
    return Case(name, Load(Via.BATCH, IN_FLIGHT, rate), max(10, round(rate * seconds)))


def in_turns(cases: Iterable[Case]) -> Iterator[Case]:
    """The same, each between two of what it is measured against; neighbours share one. Those stand by themselves."""
    last = None
    for case in cases:
        reference = case.against and replace(case.against, against=None)
        if reference and reference != last:
            yield reference
        yield case
        if reference:
            yield reference
        last = reference


def pair(done: Sequence[tuple[Case, dict[str, Any]]]) -> None:
    """Write into what a share came to what its neighbours came to; all of them in the order of `in_turns`."""
    for (_, before), (case, found), (_, behind) in zip(done, done[1:], done[2:], strict=False):
        if case.against and all("sagas_per_s" in one for one in (before, found, behind)):
            sides = {"before": before["sagas_per_s"], "behind": behind["sagas_per_s"]}
            found["against"] = {"name": case.against.name, **sides}

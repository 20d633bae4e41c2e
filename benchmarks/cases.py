"""What a run of the suite measures, and with how many sagas."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from cli.bench.report import Load
from cli.tool_commands import Via

IN_FLIGHT = 400


@dataclass(frozen=True, slots=True)
class Size:
    """How much of it."""

    rounds: int = 3
    sagas: int = 6_000  #: of a measurement in batches
    posts: int = 3_000
    alone: int = 300  #: one after the other
    open_s: float = 10.0  #: how long each rate is offered
    memory_s: float = 60.0
    declined: tuple[float, ...] = (0.1, 0.5)
    in_flight: tuple[int, ...] = (32, 256, 1_024)
    orchestrators: tuple[int, ...] = (2, 4)
    shares: tuple[float, ...] = (0.1, 0.25, 0.5, 0.75, 0.9)  #: of the throughput in batches


QUICK = Size(1, 200, 60, 10, 1.0, 2.0, (0.5,), (32,), (2,), (0.5,))


@dataclass(frozen=True, slots=True)
class Case:
    """One measurement of the system."""

    name: str
    load: Load
    sagas: int
    declined: float = 0.0
    products: int = 100
    orchestrators: int = 1


BATCH = "batch"
ALONE = "alone"


def closed(size: Size) -> Iterator[Case]:
    """Those that wait for sagas to end before they start others. Each begins with orchestrators as the one before."""
    batch = Load(Via.BATCH, IN_FLIGHT)
    yield Case(BATCH, batch, size.sagas)
    yield Case("post", Load(Via.POST, IN_FLIGHT), size.posts)
    yield Case(ALONE, Load(Via.POST, 1), size.alone)
    for count in size.in_flight:
        yield Case(f"in-flight-{count}", Load(Via.BATCH, count), size.sagas)
    for share in size.declined:
        yield Case(f"declined-{share:.0%}", batch, size.sagas, declined=share)
    yield Case("hot", batch, size.sagas, products=1)
    for count in size.orchestrators:
        yield Case(f"orchestrators-{count}", batch, size.sagas, orchestrators=count)


OTHER_DRIVER = {"SAGA_MONGO_DRIVER": "pymongo"}


def with_other_driver(size: Size) -> Iterator[Case]:
    """The same as in `closed`, for services with these settings."""
    for case in closed(size):
        if case.name in (BATCH, "post", ALONE):
            yield replace(case, name=f"pymongo-{case.name}")


def offered(size: Size, maximum: float) -> Iterator[Case]:
    """Those that wait for nothing: shares of what was reached in batches just before."""
    for share in size.shares:
        yield at_rate(f"open-{share:.0%}", maximum * share, size.open_s)


def at_rate(name: str, rate: float, seconds: float) -> Case:
    """So many a second for so long."""
    rate = max(1.0, round(rate, 1))
    return Case(name, Load(Via.BATCH, IN_FLIGHT, rate), max(10, round(rate * seconds)))

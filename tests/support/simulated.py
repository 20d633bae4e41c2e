"""What the tests with simulated runs say: how to repeat one, and after all tests how much was simulated."""

from collections.abc import Callable, Iterable

import pytest

from chaos.sim.run import Result

Record = Callable[[str, object], None]  #: pytest's `record_property`

_NAME = "simulated"


def told(result: Result) -> str:
    """What is wrong with a run, and how to repeat it."""
    wrong = "\n  ".join(map(str, result.violations))
    return f"swarm({result.setup.saga.name}, {result.seed}):\n  {wrong}"


def tell(record: Record, seeds: int, sagas: int, faults: int, cpu_s: float) -> None:
    """Remember what was simulated, for the summary."""
    record(_NAME, [seeds, sagas, faults, cpu_s])


def summary(reports: Iterable[pytest.TestReport]) -> str | None:
    """All that was simulated, in a line; None where nothing was."""
    found = [value for report in reports for name, value in report.user_properties if name == _NAME]
    if not found:
        return None
    seeds, sagas, faults, cpu_s = (sum(column) for column in zip(*found, strict=True))
    speed = f"{seeds / cpu_s:.0f} seeds and {sagas / cpu_s:.0f} sagas a second" if cpu_s else "in no time"
    return f"simulated: {seeds:,} seeds, {sagas:,} sagas, {faults:,} faults struck, {cpu_s:.0f} s of CPU time: {speed}"

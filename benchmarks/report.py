"""docs/performance.md and docs/performance.svg, made from what `benchmarks.suite` and `.growth` have measured.

python -m benchmarks.report [FILE]; without a file the newest one in benchmarks/results.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean, median

from benchmarks import grown
from benchmarks.cases import ALONE, BATCH, HALF
from benchmarks.figures import Found, course, machine, middle, shown, spread, values
from benchmarks.record import GROWTH, LONG, RESULTS, newest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "performance.md"
TEMPLATE = ROOT / "benchmarks" / "performance.template.md"
PLOT = ROOT / "docs" / "performance.svg"

NOT_MEASURED = """\
## Measured

No results have been recorded yet. The goals, on a machine with two cores that runs everything, load generator and
databases included: at least 75 % of the floor's sagas a second, a p99 below 250 ms at half load, and less than 15 ms
from POST to `completed` for one saga at a time on an idle machine."""

HALF_LOAD_MS, ALONE_MS, CONFLICTS = 250, 15, 0.01  #: goals
AS_DEPLOYED = "the same with two orchestrators, as in `compose.yaml`"
#: Goals that are shares of what each was measured against: what, which measurement, at least how much.
SHARES = (
    ("at least 75 % of the floor, in one process, without HTTP", "engine", 0.75),
    ("at least 75 % of the floor, in batches over HTTP, each service a process", BATCH, 0.75),
    (AS_DEPLOYED, "deployed-batch", 0.75),
    ("the same with one, and `SAGA_MONGO_DRIVER=pymongo`", "pymongo-batch", 0.75),
    ("at least 60 % of the floor, a request for each saga", "post", 0.6),
    (AS_DEPLOYED, "deployed-post", 0.6),
    ("the same with one, and `SAGA_MONGO_DRIVER=pymongo`", "pymongo-post", 0.6),
    ("at least 75 % of the speed in batches when 10 % of the payments are declined", "declined-10%", 0.75),
    ("four orchestrators are no slower than one", "orchestrators-4", 1.0),
)
HALF_LOADS = (
    (f"p99 at half load below {HALF_LOAD_MS} ms", HALF),
    (AS_DEPLOYED, f"deployed-{HALF}"),
)

Runs = list[Found]


def stored(directory: Path) -> Found | None:
    """The newest results in it."""
    file = newest(directory)
    return None if file is None else dict(json.loads(file.read_text()))


def page(results: Found | None, growth: Found | None, long: Found | None) -> str:
    """The whole page; where there are no results it says so."""
    told = NOT_MEASURED if results is None else "\n".join(_measured(results))
    text = TEMPLATE.read_text().replace("{measured}", told)
    return text.replace("{grown}", "\n".join(grown.section(growth, long)))


def _measured(results: Found) -> Iterator[str]:
    runs = results["runs"]
    yield f"## Measured on {results['date']}\n"
    yield machine(results["machine"])
    yield "Medians of all runs, and in brackets the least and the most.\n"
    yield from _goals(runs)
    yield "\n### Throughput\n"
    yield "| | runs | sagas/s | p50 ms | p99 ms | load generator, ms of CPU a saga |\n|---|---|---|---|---|---|"
    for name in (name for name in runs if "open-" not in name):
        cells = _cells(runs[name], "sagas_per_s", "p50_ms", "p99_ms", "generator_cpu_ms")
        yield f"| {_words(name)} | {len(runs[name])} | {cells} |"
    yield "\n### At a rate that waits for nobody\n\n![throughput and p99 against offered load](performance.svg)\n"
    yield "| orchestrators | offered/s | for s | reached/s | p50 ms | p99 ms |\n|---|---|---|---|---|---|"
    for name in (name for name in runs if "open-" in name):
        cells = _cells(runs[name], "offered_per_s", "seconds", "reached_per_s", "p50_ms", "p99_ms")
        yield f"| {_orchestrators(runs[name])} | {cells} |"
    yield from _processes(runs)
    failed = [f"- {name}: {run['failed']}" for name, found in runs.items() for run in found if "failed" in run]
    if failed:
        yield "\n### What came to no result\n\n" + "\n".join(failed)


def _cells(runs: Runs, *keys: str) -> str:
    return " | ".join(spread(values(runs, key)) for key in keys)


def _orchestrators(runs: Runs) -> int:
    return max(int(run.get("orchestrators", 1)) for run in runs)


def _goals(runs: dict[str, Runs]) -> Iterator[str]:
    yield "| goal | measured | |\n|---|---|---|"
    for what, name, least in SHARES:
        yield _goal(what, shares(runs.get(name, [])), ".1%", least=least)
    lost = values(runs.get("orchestrators-4", []), "conflicts_share")
    yield _goal(
        f"four orchestrators lose less than {CONFLICTS:.0%} of their saves to each other", lost, ".1%", most=CONFLICTS
    )
    for what, name in HALF_LOADS:
        yield _goal(what, values(runs.get(name, []), "p99_ms"), most=HALF_LOAD_MS)
    alone = values(runs.get(ALONE, []), "answered_p50_ms")
    what = f"one saga at a time, from POST to the answer that it has completed, below {ALONE_MS} ms"
    yield _goal(what, alone, most=ALONE_MS)


def _goal(
    what: str, found: Sequence[float], form: str | None = None, *, least: float = 0.0, most: float = float("inf")
) -> str:
    """Judged by the median."""
    verdict = "not measured" if not found else "reached" if least <= median(found) <= most else "not reached"
    return f"| {what} | {spread(found, form)} | {verdict} |"


def shares(runs: Runs) -> list[float]:
    """Of what each run was measured against: the mean of what that came to right before and right behind."""
    pairs = ((run["sagas_per_s"], run["against"]) for run in runs if "against" in run)
    return [per_s / fmean((pair["before"], pair["behind"])) for per_s, pair in pairs]


def _processes(runs: dict[str, Runs]) -> Iterator[str]:
    good = [run for run in runs.get(BATCH, []) if "cpu_ms" in run]
    courses = [run["course_mib"] for run in runs.get(HALF, []) if "course_mib" in run]
    samples = courses[-1] if courses else []
    if good:
        yield "\n### CPU and memory of each process\n"
        yield "| process | ms of CPU a saga, in batches | MiB after | MiB at half load: first, last, most | a minute |"
        yield "|---|---|---|---|---|"
        for name in good[0]["cpu_ms"]:
            cpu, rss = (shown(median(run[key][name] for run in good)) for key in ("cpu_ms", "rss_mib"))
            yield f"| {name} | {cpu} | {rss} | {course(samples, name)} |"
        if samples:
            yield f"\nHalf load was kept up for {samples[-1]['at_s']:,.0f} s; its second half added that much a minute."
    for name, found in runs.items():
        lost = middle(found, "conflicts_share")
        if lost is not None and _orchestrators(found) > 1:
            yield f"\nLost to another orchestrator and done again, {_words(name)}: {lost:.1%} of all saves."


def plot(results: Found, file: Path) -> None:
    """Throughput and p99 against offered load, as SVG."""
    import matplotlib as mpl  # noqa: PLC0415 - takes a second, and only this needs it
    from matplotlib.figure import Figure  # noqa: PLC0415

    runs = results["runs"]
    keys = ("offered_per_s", "reached_per_s", "p99_ms")
    offered, reached, p99 = ([middle(runs[name], key) or 0.0 for name in _open(runs)] for key in keys)
    with mpl.rc_context({"svg.hashsalt": "performance", "font.size": 9}):
        figure = Figure(figsize=(7.5, 3.2), layout="constrained", facecolor="white")
        left, right = figure.subplots(1, 2)
        left.plot(offered, offered, color="0.7", linestyle="--", label="offered")
        left.plot(offered, reached, color="tab:blue", marker="o", label="ended")
        left.set(xlabel="offered, sagas/s", ylabel="ended, sagas/s", xlim=(0, None), ylim=(0, None))
        left.legend(frameon=False)
        right.plot(offered, p99, color="tab:red", marker="o", label="p99")
        right.axhline(HALF_LOAD_MS, color="0.7", linestyle="--", label=f"goal at half load: {HALF_LOAD_MS} ms")
        right.set(xlabel="offered, sagas/s", ylabel="from due to ended, ms", xlim=(0, None), ylim=(0, None))
        right.legend(frameon=False)
        figure.savefig(file, format="svg", metadata={"Date": None})


def _open(runs: dict[str, Runs]) -> list[str]:
    return [name for name in runs if name.startswith("open-") and values(runs[name], "offered_per_s")]


def _words(name: str) -> str:
    kind, _, number = name.rpartition("-")
    told = {"in-flight": "in batches, {} in flight", "declined": "{} declined", "orchestrators": "{} orchestrators"}
    whole = {
        "floor": "floor",
        "engine": "in one process, without HTTP",
        "batch": "in batches over HTTP",
        "post": "a request for each saga",
        "alone": "one saga at a time",
        HALF: "at half load",
        "hot": "everybody wants the same product",
    }
    if kind == "pymongo":
        return f"{whole[number]}, `SAGA_MONGO_DRIVER=pymongo`"
    if name.startswith("deployed-"):
        return f"{_words(name.removeprefix('deployed-'))}, two orchestrators"
    return whole[name] if name in whole else told[kind].format(number)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, nargs="?", default=newest(RESULTS))
    parser.add_argument("--to", type=Path, default=PAGE.parent, help="the directory; default: docs")
    given = parser.parse_args(arguments)
    results = None if given.file is None else json.loads(given.file.read_text())
    (given.to / PAGE.name).write_text(page(results, stored(GROWTH), stored(LONG)))
    if results is not None:
        plot(results, given.to / PLOT.name)


if __name__ == "__main__":
    main()

"""docs/performance.md and docs/performance.svg, made from what `benchmarks.suite` has measured.

python -m benchmarks.report [FILE]; without a file the newest one in benchmarks/results.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import linear_regression, median
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "performance.md"
TEMPLATE = ROOT / "benchmarks" / "performance.template.md"
PLOT = ROOT / "docs" / "performance.svg"

NOT_MEASURED = """\
## Measured

No results have been recorded yet. The goals, on a machine with two cores that runs everything, load generator and
databases included: at least 75 % of the floor's sagas a second, a p99 below 250 ms at half load, and less than 15 ms
from POST to `completed` for one saga at a time on an idle machine."""

HALF_LOAD_MS, ALONE_MS, CONFLICTS = 250, 15, 0.01  #: goals
#: Goals that are shares: what, of which measurement, of what other one, at least how much.
SHARES = (
    ("at least 75 % of the floor, in one process, without HTTP", "engine", "floor", 0.75),
    ("at least 75 % of the floor, in batches over HTTP, each service a process", "batch", "floor", 0.75),
    ("the same with `SAGA_MONGO_DRIVER=pymongo`", "pymongo-batch", "floor", 0.75),
    ("at least 60 % of the floor, a request for each saga", "post", "floor", 0.6),
    ("the same with `SAGA_MONGO_DRIVER=pymongo`", "pymongo-post", "floor", 0.6),
    ("at least 75 % of that speed when 10 % of the payments are declined", "declined-10%", "batch", 0.75),
    ("four orchestrators are no slower than one", "orchestrators-4", "batch", 1.0),
)

Runs = list[dict[str, Any]]
Results = dict[str, Any]


def newest() -> Path | None:
    """The newest results that there are."""
    return max(RESULTS.glob("*.json"), default=None)


def page(results: Results | None) -> str:
    """The whole page; without results one that says so."""
    told = NOT_MEASURED if results is None else "\n".join(_measured(results))
    return TEMPLATE.read_text().replace("{measured}", told)


def _measured(results: Results) -> Iterator[str]:
    runs = results["runs"]
    yield f"## Measured on {results['date']}\n"
    yield _machine(results["machine"])
    yield f"Median of {results['size']['rounds']}, and in brackets the least and the most.\n"
    yield from _goals(runs)
    yield "\n### Throughput\n"
    yield "| | sagas/s | p50 ms | p99 ms | load generator, ms of CPU a saga |\n|---|---|---|---|---|"
    closed = [name for name in runs if not name.startswith("open-") and name != "memory"]
    for name in closed:
        cells = (_spread(runs[name], key) for key in ("sagas_per_s", "p50_ms", "p99_ms", "generator_cpu_ms"))
        yield f"| {_words(name)} | {' | '.join(cells)} |"
    yield "\n### At a rate that waits for nobody\n\n![throughput and p99 against offered load](performance.svg)\n"
    yield "| offered/s | reached/s | p50 ms | p99 ms |\n|---|---|---|---|"
    for name in _open(runs):
        cells = (_spread(runs[name], key) for key in ("offered_per_s", "reached_per_s", "p50_ms", "p99_ms"))
        yield f"| {' | '.join(cells)} |"
    yield from _processes(runs)
    failed = [f"- {name}: {run['failed']}" for name, found in runs.items() for run in found if "failed" in run]
    if failed:
        yield "\n### What came to no result\n\n" + "\n".join(failed)


def _goals(runs: dict[str, Runs]) -> Iterator[str]:
    yield "| goal | measured | |\n|---|---|---|"
    for what, name, base, least in SHARES:
        share = _share(runs, name, base)
        yield f"| {what} | {'-' if share is None else f'{share:.0%}'} | {_verdict(share, least=least)} |"
    lost = _median(runs.get("orchestrators-4", []), "conflicts_share")
    yield f"| four orchestrators lose less than {CONFLICTS:.0%} of their saves to each other | " + (
        f"{'-' if lost is None else f'{lost:.1%}'} | {_verdict(lost, most=CONFLICTS)} |"
    )
    half = runs.get("open-50%", [])
    yield f"| p99 at half load below {HALF_LOAD_MS} ms | {_spread(half, 'p99_ms')} | " + (
        f"{_verdict(_median(half, 'p99_ms'), most=HALF_LOAD_MS)} |"
    )
    alone = runs.get("alone", [])
    yield f"| one saga at a time, from POST to the answer that it has completed, below {ALONE_MS} ms | " + (
        f"{_spread(alone, 'answered_p50_ms')} | {_verdict(_median(alone, 'answered_p50_ms'), most=ALONE_MS)} |"
    )


def _share(runs: dict[str, Runs], name: str, base: str) -> float | None:
    """Of what was reached with the base in the same round; the median of all rounds."""
    pairs = zip(runs.get(name, []), runs.get(base, []), strict=False)
    shares = [
        one["sagas_per_s"] / other["sagas_per_s"]
        for one, other in pairs
        if one.keys() & other.keys() >= {"sagas_per_s"}
    ]
    return median(shares) if shares else None


def _processes(runs: dict[str, Runs]) -> Iterator[str]:
    good = [run for run in runs.get("batch", []) if "cpu_ms" in run]
    memory = runs.get("memory", [{}])[-1].get("rss_mib", [])
    if good:
        yield "\n### CPU and memory of each process\n"
        yield "| process | ms of CPU a saga, in batches | MiB then | MiB at half load: first, last, most | a minute |"
        yield "|---|---|---|---|---|"
        for name in good[0]["cpu_ms"]:
            cpu = _shown(median(run["cpu_ms"][name] for run in good))
            rss = _shown(median(run["rss_mib"][name] for run in good))
            seen = [sample[name] for sample in memory if isinstance(memory, list) and name in sample]
            course = f"{seen[0]:,.0f}, {seen[-1]:,.0f}, {max(seen):,.0f}" if seen else "-"
            yield f"| {name} | {cpu} | {rss} | {course} | {_slope(memory, name)} |"
        if memory:
            yield f"\nHalf load was kept up for {memory[-1]['at_s']:,.0f} s; its second half added that much a minute."
    shares = {name: _median(found, "conflicts_share") for name, found in runs.items() if name.startswith("orch")}
    for name, share in shares.items():
        if share is not None:
            many = name.rpartition("-")[2]
            yield f"\nWith {many} orchestrators {share:.1%} of all saves were lost to another one and done again."


def _slope(samples: list[dict[str, float]], name: str) -> str:
    """Least squares over the second half, when caches are full."""
    late = [(sample["at_s"] / 60, sample[name]) for sample in samples[len(samples) // 2 :] if name in sample]
    return f"{linear_regression(*zip(*late, strict=True)).slope:+.2f}" if len(late) > 1 else "-"


def plot(results: Results, file: Path) -> None:
    """Throughput and p99 against offered load, as SVG."""
    import matplotlib as mpl  # noqa: PLC0415 - takes a second, and only this needs it
    from matplotlib.figure import Figure  # noqa: PLC0415

    runs = results["runs"]
    keys = ("offered_per_s", "reached_per_s", "p99_ms")
    offered, reached, p99 = ([_median(runs[name], key) or 0.0 for name in _open(runs)] for key in keys)
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


def _machine(about: dict[str, Any]) -> str:
    load = about["load_before"][0]
    return (
        f"{about['cpus']} cores ({about['cpu']}), {about['memory_gib']} GiB, {about['system']}, "
        f"Python {about['python']}, MongoDB {about['mongodb']}, Redis {about['redis']}. "
        "Everything ran on this machine, the load generator too; "
        f"its load was {load} before."
        + (" All of it had real-time priority over whatever else ran there." if about.get("real_time") else "")
    )


def _open(runs: dict[str, Runs]) -> list[str]:
    return [name for name in runs if name.startswith("open-") and _median(runs[name], "offered_per_s")]


def _words(name: str) -> str:
    kind, _, number = name.rpartition("-")
    told = {"in-flight": "in batches, {} in flight", "declined": "{} declined", "orchestrators": "{} orchestrators"}
    whole = {
        "floor": "floor",
        "engine": "in one process, without HTTP",
        "batch": "in batches over HTTP",
        "post": "a request for each saga",
        "alone": "one saga at a time",
        "hot": "everybody wants the same product",
    }
    if kind == "pymongo":
        return f"{whole[number]}, `SAGA_MONGO_DRIVER=pymongo`"
    return whole[name] if name in whole else told[kind].format(number)


def _values(runs: Runs, key: str) -> list[float]:
    return [float(run[key]) for run in runs if key in run]


def _median(runs: Runs, key: str) -> float | None:
    values = _values(runs, key)
    return median(values) if values else None


def _spread(runs: Runs, key: str) -> str:
    values = _values(runs, key)
    if not values:
        return "-"
    middle = _shown(median(values))
    return middle if len(values) == 1 else f"{middle} ({_shown(min(values))} to {_shown(max(values))})"


def _shown(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def _verdict(value: float | None, *, least: float = 0.0, most: float = float("inf")) -> str:
    return "not measured" if value is None else "reached" if least <= value <= most else "not reached"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, nargs="?", default=newest())
    parser.add_argument("--to", type=Path, default=PAGE.parent, help="the directory; default: docs")
    given = parser.parse_args(arguments)
    results = None if given.file is None else json.loads(given.file.read_text())
    (given.to / PAGE.name).write_text(page(results))
    if results is not None:
        plot(results, given.to / PLOT.name)


if __name__ == "__main__":
    main()

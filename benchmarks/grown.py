"""The page's section about what grows: from what `benchmarks.growth` and `benchmarks.suite --long` have measured."""

from collections.abc import Iterator

from benchmarks.cases import HALF
from benchmarks.figures import Found, course, machine, shown

NOT_MEASURED = "No results have been recorded yet."


def section(growth: Found | None, long: Found | None) -> Iterator[str]:
    """Its lines, without a heading."""
    if growth is not None:
        yield from _growth(growth)
    if long is not None:
        yield from _long(long)
    if growth is None and long is None:
        yield NOT_MEASURED


def _growth(found: Found) -> Iterator[str]:
    yield f"Measured on {found['date']} by `benchmarks/growth.py`. {machine(found['machine'])}"
    yield f"One run; {found['sagas']:,} sagas a measurement, in batches, {found['in_flight']} in flight.\n"
    yield "| stored | sagas/s | p99 ms | mongod, ms of CPU a saga | lists, ms: slowest median, slowest | searches |"
    yield "|---|---|---|---|---|---|"
    for cost in found["costs"]:
        numbers = (cost["sagas_per_s"], cost["p99_ms"], cost["cpu_ms"]["mongod"])
        lists, searches = (_slowest(cost, searching=searching) for searching in (False, True))
        yield f"| {_stored(cost)} | {' | '.join(map(shown, numbers))} | {lists} | {searches} |"
    yield "\nLists have any filter but `q`, or none. Searches are for the beginning of an id (`q=`), which no saga has,"
    yield "or few, or a great many.\n"
    due, backlog = found["due"], found["backlog"]
    yield f"- **{due['due']:,} timers due at once**: {_drained(due)}"
    yield f"- **A backlog of {backlog['backlog']:,} commands**, because participants were away: {_drained(backlog)}"


def _drained(found: Found) -> str:
    most = found["most_rss_mib"]
    handled = found["none_due_after_s"]
    return (
        f"all sagas had ended after {shown(found['seconds'])} s"
        + (f", no timer was overdue after {shown(handled)}" if handled is not None else "")
        + f". A saga took {found['messages_per_saga']:.2f} messages, {found['resent_per_saga']:.2f} of them commands"
        f" that were sent again. Orchestrator {shown(most['orchestrator'])} MiB at most, Redis {shown(most['redis'])}."
    )


def _stored(cost: Found) -> str:
    ended, active = cost["ended"], cost["active"]
    if not ended:
        return "nothing"
    return f"{ended:,} that have ended" + (f", and {active:,} that wait" if active else "")


def _slowest(cost: Found, *, searching: bool) -> str:
    found = [took for what, took in cost["lists_ms"].items() if what.startswith("q") == searching]
    return ", ".join(shown(max(took[key] for took in found)) for key in ("median", "most"))


def _long(found: Found) -> Iterator[str]:
    run = found["runs"][HALF][-1]
    samples = run.get("course_mib")
    if not samples:
        return
    yield f"\n**Memory over {samples[-1]['at_s'] / 60:,.0f} minutes** at half load, measured on {found['date']}:"
    yield f"{run['sagas']:,} sagas, {run['reached_per_s']:,.0f} a second, p99 {shown(run['p99_ms'])} ms.\n"
    yield "| process | MiB: first, last, most | a minute, in the second half |\n|---|---|---|"
    for name in samples[0]:
        if name != "at_s":
            yield f"| {name} | {course(samples, name)} |"
    yield "\nRedis keeps events, up to a million (`SAGA_EVENTS_KEPT`); until there are as many, it grows by that."

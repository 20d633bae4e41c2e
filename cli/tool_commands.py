"""The commands for whoever runs a service: `saga doctor`, `saga bench`. What they do is imported when it is done."""

from enum import StrEnum
from typing import Annotated

import typer

from cli.arguments import AsJson, Url, duration_s


class Via(StrEnum):
    """How the load of `saga bench` reaches the engine."""

    BATCH = "batch"
    POST = "post"
    ENGINE = "engine"


def doctor(
    participant: Annotated[
        list[str] | None, typer.Option(metavar="MODULE:ATTRIBUTE", help="A participant of your own; may be repeated.")
    ] = None,
    timeout: Annotated[str, typer.Option(help="How long each look at a server may take.")] = "5s",
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Look at everything that a service needs: name what is wrong, and what to do about it.

    Finds the databases by SAGA_MONGO_URL and SAGA_REDIS_URL, else by what .saga/ says. Changes nothing. Exit code: 0
    nothing failed (warnings don't count), 1 something did.
    """
    from cli.doctor.run import run_doctor  # noqa: PLC0415

    raise typer.Exit(run_doctor(url, participant or [], duration_s(timeout, "--timeout"), as_json))


def bench(
    via: Annotated[
        Via, typer.Option(help="Over HTTP in batches, over HTTP one by one, or all in this process without HTTP.")
    ] = Via.BATCH,
    sagas: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many are measured.")] = 5_000,
    in_flight: Annotated[int, typer.Option(min=1, max=2_000, help="How many at a time.")] = 400,
    rate: Annotated[
        float | None,
        typer.Option(min=1, max=100_000, help="Start that many a second instead, whatever has become of the others."),
    ] = None,
    reject_ratio: Annotated[
        float, typer.Option(min=0, max=1, help="The share of orders whose payment is declined: they are compensated.")
    ] = 0.0,
    products: Annotated[
        int, typer.Option(min=1, max=10_000, help="How many products are ordered, in turns; 1: all want the same.")
    ] = 100,
    url: Annotated[
        list[str] | None,
        typer.Option(
            envvar="SAGA_URL",
            help="Where the service is; default: what .saga/ says. May be repeated: several orchestrators of one "
            "service get the load in turns.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure how many sagas a second come to their end, and how long each takes.

    On the service that runs, with products and customers of its own; where none runs, on one for this run alone. Ends
    by checking that its totals add up. Ctrl-C shows what was measured by then.
    """
    from cli.bench.plan import Plan  # noqa: PLC0415
    from cli.bench.report import Load  # noqa: PLC0415
    from cli.bench.run import run_bench  # noqa: PLC0415

    def plan(run: str) -> Plan:
        return Plan(run, sagas, in_flight, reject_ratio, products)

    run_bench(Load(via, in_flight, rate), plan, url or [], as_json)

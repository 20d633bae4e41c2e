"""The commands that run services or reach into their databases: only what they accept and say of themselves.

What they do is imported when it is done: it takes a second that clients of the HTTP API need not wait for.
"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cli.arguments import Directory
from cli.data_directory import NAME, DataDirectory


class Topology(StrEnum):
    """What Redis is made of."""

    ONE = "one"
    SENTINEL = "sentinel"
    CLUSTER = "cluster"


Port = Annotated[int | None, typer.Option(min=0, max=65_535, help="HTTP port; 0 takes any free one.")]


OwnSagas = Annotated[
    list[str] | None,
    typer.Option(
        "--saga", metavar="MODULE", help="A module with sagas of your own, beside SAGA_DEFINITIONS; may be repeated."
    ),
]


def up(
    directory: Directory = Path(NAME),
    port: Port = None,
    processes: Annotated[
        bool, typer.Option("--processes", help="Each service a process, restarted when it dies.")
    ] = False,
    saga: OwnSagas = None,
    participant: Annotated[
        list[str] | None, typer.Option(metavar="MODULE:ATTRIBUTE", help="A participant of your own; may be repeated.")
    ] = None,
) -> None:
    """Run everything here: databases, orchestrator, the three shipped participants.

    Data stays in the data directory; the next `saga up` goes on with it. SAGA_MONGO_URL and SAGA_REDIS_URL name
    databases to use instead of its own. Ctrl-C ends everything in order, a second one at once.
    """
    from cli.up import run_everything  # noqa: PLC0415

    run_everything(DataDirectory(directory), port, processes, saga or [], participant or [])


def demo() -> None:
    """Start all services, place an order of each kind, show each saga's steps and the totals.

    Uses real MongoDB and Redis servers of its own in a temporary directory, and leaves nothing behind.
    """
    from cli.demo import run_demo  # noqa: PLC0415

    run_demo()


def servers(
    directory: Directory = Path(NAME),
    detach: Annotated[
        bool, typer.Option("--detach", help="Leave them running; whoever comes next adopts them.")
    ] = False,
    redis: Annotated[
        Topology,
        typer.Option("--redis", help="One server; a master, two replicas and three Sentinels; or a cluster of six."),
    ] = Topology.ONE,
) -> None:
    """Run only MongoDB and Redis. Prints the variables by which services find them.

    Stays until Ctrl-C, which stops them; their data stays.
    """
    from cli.parts import run_servers  # noqa: PLC0415

    run_servers(DataDirectory(directory), detach, redis)


def serve(port: Port = None, saga: OwnSagas = None) -> None:
    """Run the orchestrator alone, on the databases that SAGA_MONGO_URL and SAGA_REDIS_URL name."""
    from cli.parts import run_orchestrator  # noqa: PLC0415

    run_orchestrator(port, saga or [])


def participant(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="inventory, payment, orders, or your own module:attribute.")
    ],
) -> None:
    """Run one participant, on the databases that SAGA_MONGO_URL and SAGA_REDIS_URL name."""
    from cli.parts import run_participant  # noqa: PLC0415

    run_participant(name)


def seed(
    product: Annotated[str | None, typer.Option(metavar="ID", help="A product; with --stock and --price.")] = None,
    stock: Annotated[int | None, typer.Option(min=0, help="How many of the product there are.")] = None,
    price: Annotated[int | None, typer.Option(min=0, help="The price of one, in cents.")] = None,
    customer: Annotated[str | None, typer.Option(metavar="ID", help="A customer; with --balance.")] = None,
    balance: Annotated[int | None, typer.Option(min=0, help="What the customer can spend, in cents.")] = None,
) -> None:
    """Set a product's stock and price, or a customer's balance; without options, everything the examples use.

    Finds MongoDB by SAGA_MONGO_URL, else by what .saga/ says of the running service.
    """
    from cli.seeding import run_seed  # noqa: PLC0415

    run_seed(product, stock, price, customer, balance)

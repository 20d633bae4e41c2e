"""The commands that set up databases for services by themselves: only what they accept and say of themselves."""

from pathlib import Path
from typing import Annotated

import typer

from cli.arguments import duration_s

Participants = Annotated[
    list[str] | None,
    typer.Option(
        "--participant",
        metavar="NAME",
        help="One of the shipped, or your own as module:attribute; may be repeated. Default: the three shipped.",
    ),
]


def secrets(
    directory: Annotated[Path, typer.Argument(metavar="DIRECTORY", help="Where they are kept.", file_okay=False)],
    mongo: Annotated[str, typer.Option(metavar="HOST:PORT", help="Where services find MongoDB.")] = "127.0.0.1:27017",
    redis: Annotated[str, typer.Option(metavar="HOST:PORT", help="Where services find Redis.")] = "127.0.0.1:6379",
    participant: Participants = None,
    new: Annotated[bool, typer.Option("--new", help="Make new passwords and keys for all.")] = False,
) -> None:
    """Write what each service and server needs to know those that it works with: a directory for each, once.

    All passwords and keys are made from one secret, DIRECTORY/init/master. Run it again after an update, or for one
    more participant: what is right stays as it is. After --new give MongoDB and Redis their new files and start them
    again, run `saga init`, and start the services again.
    """
    from cli.deployment.run import run_secrets  # noqa: PLC0415

    run_secrets(directory, mongo, redis, participant, new)


def init(
    secrets: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The master of `saga secrets`: each service gets its users.", dir_okay=False),
    ] = None,
    member: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT", help="How others find MongoDB, where its set is new. Default: as the URL says."
        ),
    ] = None,
    participant: Participants = None,
    seed: Annotated[
        bool, typer.Option("--seed", help="Also the products and customers that the examples use.")
    ] = False,
    timeout: Annotated[str, typer.Option(help="How long to wait for MongoDB.")] = "60s",
) -> None:
    """Make what services need in MongoDB and Redis and may not make themselves. May be run again at any time.

    MongoDB: a replica set of one where SAGA_MONGO_URL names a single server that is in none, each service's collections
    and indexes, and with --secrets a role and a user for each service. Redis: consumer groups, and with --secrets the
    users of its file, read again.

    SAGA_MONGO_URL and SAGA_REDIS_URL name administrators. MongoDB's is made where it has no user yet, and that can be
    done from MongoDB's own machine only.
    """
    from cli.deployment.run import run_init  # noqa: PLC0415

    run_init(secrets, member, participant, seed, duration_s(timeout, "--timeout"))

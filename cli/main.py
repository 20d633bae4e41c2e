"""The `saga` command: every command and its examples. What they do is in the other modules."""

import sys
from importlib.metadata import version
from io import TextIOWrapper
from typing import Annotated

import typer

from cli.arguments import examples
from cli.commands import Commands
from cli.saga_commands import ls, show_one, start
from cli.service_commands import demo, participant, seed, serve, servers, up
from cli.tool_commands import doctor

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # A bug shows Python's own traceback, which can be searched for.
    context_settings={"help_option_names": ["-h", "--help"]},
)

_ORDER = '\'{"customer_id": "alice", "items": [{"product_id": "boots", "quantity": 1}]}\''


def _version(wanted: bool) -> None:
    if wanted:
        print(f"saga {version('saga-orchestrator')}")
        raise typer.Exit


@app.callback(
    epilog=examples("saga up", f"saga start order --data {_ORDER} --wait 10s", "saga ls --since 1h"),
)
def saga(
    _: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """Sagas: business transactions across services. Each step is done once, or every step before it is undone.

    Exit codes: 0 ok, 1 other errors, 2 usage, 3 ended not completed, 4 stuck, 5 not found, 6 timeout.
    """


app.command("up", epilog=examples("saga up", "saga up --processes", "saga up --saga shop --participant shop:gifts"))(up)
app.command("demo", epilog=examples("saga demo", "NO_COLOR=1 saga demo"))(demo)
app.command(
    "start",
    epilog=examples(
        f"saga start order --data {_ORDER}",
        "saga start order --data @order.json --wait 10s",
        "saga start order --data - --key order-4711 < order.json",
    ),
)(start)
app.command("ls", epilog=examples("saga ls", "saga ls --status stuck --since 1h", "saga ls --limit 1000 --json"))(ls)
app.command("show", epilog=examples("saga show ID", "saga show ID --follow", "saga show ID --json"))(show_one)
app.command(
    "seed",
    epilog=examples(
        "saga seed", "saga seed --product hats --stock 10 --price 2500", "saga seed --customer bob --balance 100000"
    ),
)(seed)
app.command(
    "doctor", epilog=examples("saga doctor", "saga doctor --json | jq '.checks[] | select(.status == \"failed\")'")
)(doctor)
app.command("servers", epilog=examples("saga servers", 'eval "$(saga servers --detach)"'))(servers)
app.command("serve", epilog=examples('eval "$(saga servers --detach)"', "saga serve --port 8700"))(serve)
app.command("participant", epilog=examples("saga participant inventory", "saga participant shop.gifts:gifts"))(
    participant
)


def main() -> None:
    """Run the command line."""
    # Users' own sagas and participants are found where the command is run, as with `python -m`.
    sys.path.insert(0, "")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # A terminal without Unicode loses a tick, not the answer.
    app(prog_name="saga")


if __name__ == "__main__":
    main()

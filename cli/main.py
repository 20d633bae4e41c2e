"""The `saga` command: every command and its examples. What they do is in the other modules."""

import inspect
import sys
from importlib import import_module
from importlib.metadata import version
from io import TextIOWrapper
from typing import Annotated

import typer

from cli import chaos_commands, definition_commands, key, letters
from cli.arguments import examples
from cli.commands import Commands
from cli.conformance_command import conformance
from cli.deployment_commands import init, secrets
from cli.operate import abort, cancel, retry, skip
from cli.saga_commands import ls, show_one, start, wait
from cli.service_commands import demo, participant, seed, serve, servers, up
from cli.tool_commands import bench, doctor
from cli.watch import watch
from sagas.imports import OWN

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # A bug shows Python's own traceback, which can be searched for.
    context_settings={"help_option_names": ["-h", "--help"]},
)

_SAGAS, _OPERATE, _RUN, _TOOLS = "Sagas", "For operators", "Run it", "Tools"  #: how --help groups the commands

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


app.command(
    "up",
    rich_help_panel=_RUN,
    epilog=examples("saga up", "saga up --processes", "saga up --saga shop --participant shop:gifts"),
)(up)
app.command("demo", rich_help_panel=_RUN, epilog=examples("saga demo", "NO_COLOR=1 saga demo"))(demo)
app.command(
    "start",
    rich_help_panel=_SAGAS,
    epilog=examples(
        f"saga start order --data {_ORDER}",
        "saga start order --data @order.json --wait 10s",
        "saga start order --data - --key order-4711 < order.json",
    ),
)(start)
app.command(
    "ls",
    rich_help_panel=_SAGAS,
    epilog=examples("saga ls", "saga ls --status stuck --since 1h", "saga ls --limit 1000 --json"),
)(ls)
app.command(
    "show",
    rich_help_panel=_SAGAS,
    epilog=examples("saga show ID", "saga show ID --follow", "saga show ID --history", "saga show ID --json"),
)(show_one)
app.command("wait", rich_help_panel=_SAGAS, epilog=examples("saga wait ID", "saga wait ID --timeout 30s --json"))(wait)
app.command(
    "watch",
    rich_help_panel=_SAGAS,
    epilog=examples("saga watch", "saga watch --saga order --status stuck", "saga watch --json | jq .events"),
)(watch)
app.command(
    "cancel",
    rich_help_panel=_OPERATE,
    epilog=examples(
        "saga cancel ID --reason 'the customer called' --wait 30s",
        "saga cancel ID --reason 'out of season' --if-revision 4",
        "saga cancel --saga order --status running --reason 'recall' --yes",
    ),
)(cancel)
app.command(
    "retry",
    rich_help_panel=_OPERATE,
    epilog=examples(
        "saga retry ID --reason 'payment works again' --wait 30s",
        "saga retry --status stuck --saga order --reason 'payment works again'",
    ),
)(retry)
app.command(
    "skip",
    rich_help_panel=_OPERATE,
    epilog=examples(
        "saga skip ID --reason 'confirmed by phone' --data '{\"order_id\": \"o-17\"}'",
        "saga skip ID --reason 'refunded by hand'",
    ),
)(skip)
app.command(
    "abort",
    rich_help_panel=_OPERATE,
    epilog=examples("saga abort ID --reason 'will not be delivered any more' --wait 30s"),
)(abort)
app.command(
    "seed",
    rich_help_panel=_RUN,
    epilog=examples(
        "saga seed", "saga seed --product hats --stock 10 --price 2500", "saga seed --customer bob --balance 100000"
    ),
)(seed)
app.command(
    "bench",
    rich_help_panel=_TOOLS,
    epilog=examples(
        "saga bench",
        "saga bench --via post --in-flight 1 --sagas 200",
        "saga bench --rate 300 --sagas 3000",
        "saga bench --reject-ratio 0.1 --products 1",
    ),
)(bench)
app.command(
    "doctor",
    rich_help_panel=_TOOLS,
    epilog=examples("saga doctor", "saga doctor --json | jq '.checks[] | select(.status == \"failed\")'"),
)(doctor)
app.command(
    "conformance",
    rich_help_panel=_TOOLS,
    epilog=examples(
        "saga conformance --stream saga.commands.inventory --action inventory.reserve-stock"
        ' --data \'{"items": [{"product_id": "boots", "quantity": 1}]}\' --compensation inventory.release-stock',
        "saga conformance --saga examples.parcel:parcel --step book-courier --inbox-expiry never",
        "saga conformance --list",
    ),
)(conformance)
app.command(
    "servers",
    rich_help_panel=_RUN,
    epilog=examples("saga servers", 'eval "$(saga servers --detach)"', "saga servers --redis sentinel"),
)(servers)
app.command(
    "serve", rich_help_panel=_RUN, epilog=examples('eval "$(saga servers --detach)"', "saga serve --port 8700")
)(serve)
app.command(
    "participant",
    rich_help_panel=_RUN,
    epilog=examples("saga participant inventory", "saga participant shop.gifts:gifts"),
)(participant)

app.command(
    "secrets",
    rich_help_panel=_RUN,
    epilog=examples("saga secrets ./secrets", "saga secrets ./secrets --mongo mongo:27017 --redis redis:6379"),
)(secrets)
app.command(
    "init",
    rich_help_panel=_RUN,
    epilog=examples("saga init", "saga init --seed", "saga init --secrets ./secrets/init/master --member mongo:27017"),
)(init)


def group(name: str, panel: str, says: str, *lines: str) -> typer.Typer:
    """A command with commands of its own."""
    made = typer.Typer(no_args_is_help=True, help=says, epilog=examples(*lines))
    app.add_typer(made, name=name, rich_help_panel=panel)
    return made


dead_letters = group(
    "dead-letters",
    _OPERATE,
    "Messages that could not be handled.",
    "saga dead-letters ls",
    "saga dead-letters redrive --all",
)
dead_letters.command("ls", epilog=examples("saga dead-letters ls", "saga dead-letters ls --limit 1000 --json"))(
    letters.ls
)
dead_letters.command("show", epilog=examples("saga dead-letters show ID"))(letters.show_one)
dead_letters.command(
    "redrive",
    epilog=examples("saga dead-letters redrive ID", "saga dead-letters redrive --all --stream saga.replies --yes"),
)(letters.redrive)
dead_letters.command("delete", epilog=examples("saga dead-letters delete ID", "saga dead-letters delete --all --yes"))(
    letters.delete
)

definitions = group("definitions", _SAGAS, "The sagas that the service knows.", "saga definitions ls")
definitions.command("ls", epilog=examples("saga definitions ls"))(definition_commands.ls)
definitions.command(
    "show", epilog=examples("saga definitions show order", "saga definitions show order --mermaid > order.mmd")
)(definition_commands.show_one)

chaos = group(
    "chaos",
    _TOOLS,
    "Runs with faults, for any saga.",
    "saga chaos matrix",
    "saga chaos run killer-monkey --saga trip:trip",
)
chaos.command(
    "run",
    epilog=examples(
        "saga chaos run",
        "saga chaos run flaky-bus --saga trip:trip --seeds 100",
        "saga chaos run scenario.yaml --seed 7 --json",
        "saga chaos run killer-monkey --mode real --report report",
        "saga chaos run mixed-storm --mode real --for 10m --rate 25",
    ),
)(chaos_commands.run)
chaos.command(
    "matrix", epilog=examples("saga chaos matrix", "saga chaos matrix --saga trip:trip --saga sagas.order:order")
)(chaos_commands.matrix)
chaos.command("replay", epilog=examples("saga chaos replay .saga/chaos/trip-7.json"))(chaos_commands.replay)
chaos.command("ls", epilog=examples("saga chaos ls", "saga chaos ls --json"))(chaos_commands.ls)

keys = group("key", _OPERATE, "API keys.", "saga key new web-shop --scopes read,start")
keys.command(
    "new",
    epilog=examples(
        "saga key new web-shop --scopes read,start",
        "saga key new ops --scopes read,operate --expires 90d --file keys.txt",
    ),
)(key.new)


def _flow(commands: typer.Typer) -> None:
    """Have each command's help fill the terminal: its lines end where the terminal's do, not where the source's do."""
    for command in commands.registered_commands:
        paragraphs = inspect.cleandoc(command.help or getattr(command.callback, "__doc__", None) or "").split("\n\n")
        command.help = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
    for below in commands.registered_groups:
        if below.typer_instance is not None:
            _flow(below.typer_instance)


_flow(app)


def main() -> None:
    """Run the command line."""
    for package in OWN:
        import_module(package)  # So that what we import of it later is ours, whatever is where the command is run.
    # Users' own sagas and participants are found there, as with `python -m`.
    sys.path.insert(0, "")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # A terminal without Unicode loses a tick, not the answer.
    app(prog_name="saga")


if __name__ == "__main__":
    main()

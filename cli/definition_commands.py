"""`saga definitions`: the sagas that the service knows."""

from typing import Annotated

import typer
from rich.text import Text

from cli import completion
from cli.arguments import AsJson, Url
from cli.render import plain_table
from cli.service import connected
from cli.terminal import note, show, show_json
from client import Definition


def ls(url: Url = None, as_json: AsJson = False) -> None:
    """List the definitions, in every version."""
    with connected(url) as client:
        found = client.definitions()
    if as_json:
        show_json([one.to_json() for one in found])
        return
    table = plain_table("name", "version", "steps")
    for one in found:
        steps = (f"{step} (pivot)" if step == one.pivot else step for step in one.steps)
        table.add_row(one.name, str(one.version), " → ".join(steps))
    show(table)


def show_one(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="The definition's name.", autocompletion=completion.saga_names)
    ],
    version: Annotated[int | None, typer.Option(min=1, help="This version instead of the newest.")] = None,
    mermaid: Annotated[bool, typer.Option("--mermaid", help="Print the steps as a Mermaid diagram.")] = False,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Show one definition: its steps, what undoes them, and what a client sends."""
    with connected(url) as client:
        found = client.definition(name, version=version)
    if as_json:
        show_json(found.to_json())
    elif mermaid:
        print(found.mermaid)
    else:
        _show(found)


def _show(definition: Definition) -> None:
    show(Text.assemble((definition.name, "bold"), f" version {definition.version}"))
    table = plain_table("step", "kind", "asks", "undone by", "timeout", "attempts")
    for step in definition.steps:
        action, undo = step.action, step.undo
        table.add_row(
            step.name,
            step.kind,
            action["type"],
            undo["type"] if undo else "",
            f"{action['timeout_s']:g} s",
            str(action["retry"]["attempts"]),
        )
    show(table)
    required = definition.input.get("required", [])
    fields = (f"{name}{'' if name in required else ' (optional)'}" for name in definition.input.get("properties", {}))
    note(f"\nStart one: saga start {definition.name} --data '{{…}}' with {', '.join(fields)}")

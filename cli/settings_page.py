"""The page docs/settings.md, made from the settings.

python -m cli.settings_page > docs/settings.md
"""

import sys
from collections.abc import Mapping

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from cli.variables import CLIENTS, SERVERS
from orchestrator.settings import PREFIX, Settings
from participants.settings import ParticipantSettings

_OPENING = """\
# Settings

Environment variables, all read and checked before the first message: what can't work is named, with what to do. This
page is made from the code (`python -m cli.settings_page > docs/settings.md`); a test holds the two together.

`saga up` hands the databases that it starts to everything it runs, so that none of these has to be set there.
"""
_HEAD = ["| variable | default | bounds | what it is |", "|---|---|---|---|"]


def as_markdown() -> str:
    """The whole page."""
    parts = [
        _OPENING,
        *_section("The orchestrator", Settings),
        *_section("Participants", ParticipantSettings),
        *_others("Commands that call the service", CLIENTS),
        *_others("Commands that start servers", SERVERS),
    ]
    return "\n".join(parts)


def _others(title: str, variables: Mapping[str, str]) -> list[str]:
    rows = [f"| `{name}` | {says} |" for name, says in variables.items()]
    return [f"## {title}", "", "| variable | what it is |", "|---|---|", *rows, ""]


def _section(title: str, settings: type[BaseSettings]) -> list[str]:
    needed = getattr(settings, "NEEDED", ())
    rows = [
        f"| `{PREFIX}{name.upper()}` | {_default(field, name in needed)} | {_bounds(field)} | {field.description} |"
        for name, field in settings.model_fields.items()
    ]
    return [f"## {title}", "", *_HEAD, *rows, ""]


def _default(field: FieldInfo, needed: bool) -> str:
    if needed or field.is_required():
        return "needed"
    value = field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
    return "" if value in (None, "") else f"`{value}`"


def _bounds(field: FieldInfo) -> str:
    found = {
        name: value
        for one in field.metadata
        for name in ("ge", "le")
        if (value := getattr(one, name, None)) is not None
    }
    return f"{found['ge']:,} … {found['le']:,}" if found else ""


if __name__ == "__main__":
    sys.stdout.write(as_markdown())

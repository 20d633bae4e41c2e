"""What only the README promises, beyond what every document does (test_documents.py)."""

import json
import re

import sagas
import sagas.order
from orchestrator.settings import Settings
from participants.settings import ParticipantSettings
from support.documents import Document
from support.source import ROOT

README = Document(ROOT / "README.md")


def test_the_commands_include_an_order_of_each_kind() -> None:
    curls = [(code.text, json.loads(answer.text)) for code, answer in README.commands() if answer is not None]

    assert len(curls) == 3
    for name in ("alice", "boots", "sold-out", "broke"):
        assert any(f'"{name}"' in code for code, _ in curls)


def test_the_saga_on_the_first_screen_is_the_one_that_runs() -> None:
    shown = {**vars(sagas), **vars(sagas.order)}
    shown.pop("order")

    exec(README.written_in("python")[0].text, shown)  # noqa: S102 - our own text

    assert shown["order"].fingerprint == sagas.order.order.fingerprint
    assert [step.timeout_s for step in shown["order"].steps] == [step.timeout_s for step in sagas.order.order.steps]


def test_every_setting_has_the_default_that_is_shown() -> None:
    known = {**ParticipantSettings.model_fields, **Settings.model_fields}
    table = dict(re.findall(r"^\| `(SAGA_\w+)` \| (?:`([^`]*)`)? ?\|", README.text, re.MULTILINE))

    assert len(table) > 5
    for variable, default in table.items():
        if default:
            assert str(known[variable.removeprefix("SAGA_").lower()].default) == default

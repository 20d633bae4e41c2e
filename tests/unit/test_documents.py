"""What every document promises without being run, and how expectations in documents are read."""

import re

import pytest

from cli.variables import CLIENTS, SERVERS
from orchestrator.settings import Settings
from participants.settings import ParticipantSettings
from support.documents import Block, Document, documents, is_shown, lines_shown
from support.source import ROOT

OTHER_VARIABLES = {*CLIENTS, *SERVERS, "SAGA_SOAK"}

every_document = pytest.mark.parametrize("document", documents(), ids=lambda each: each.name)


@every_document
def test_python_code_compiles(document: Document) -> None:
    for block in document.written_in("python"):
        compile(block.text, f"{document.name}: {block.file}", "exec")


@every_document
def test_every_file_that_is_linked_exists(document: Document) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", document.text):
        assert (document.path.parent / target).exists(), target


@every_document
def test_every_setting_that_is_named_exists(document: Document) -> None:
    known = {**ParticipantSettings.model_fields, **Settings.model_fields}

    for variable in set(re.findall(r"\bSAGA_[A-Z_]+\b", document.text)) - OTHER_VARIABLES:
        assert variable.removeprefix("SAGA_").lower() in known, variable


def test_a_document_that_starts_the_service_or_shows_a_result_is_one_that_runs() -> None:
    running = [document.name for document in documents() if document.runs]

    assert {"README.md", "docs/testing-your-saga.md"} <= set(running)
    assert "docs/wire-protocol.md" not in running


def test_a_block_is_a_file_only_where_its_first_line_names_one() -> None:
    assert Block("python", "# gift.py\nimport sagas\n").file == "gift.py"
    assert Block("python", "import sagas\n").file is None
    assert Block("sh", "# run.sh\nls\n").file is None


@pytest.mark.parametrize(
    ("found", "expected", "shown"),
    [
        ({"a": 1, "b": 2}, {"a": 1}, True),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1}}, True),
        ([{"a": 1, "b": 2}], [{"a": 1}], True),
        ([1, 2], [1], False),
        ("card-7", "card-…", True),
        ("cord-7", "card-…", False),
        (7, "…", True),
        (True, 1, False),
        (None, None, True),
    ],
)
def test_an_answer_has_at_least_what_is_shown(found: object, expected: object, shown: bool) -> None:
    assert is_shown(found, expected) is shown


@pytest.mark.parametrize(
    ("expected", "shown"),
    [
        ("one\nthree", True),
        ("three\none", False),
        ("t…o", True),
        ("  two  ", True),
        ("four", False),
        ("one\none", False),
    ],
)
def test_output_has_the_lines_that_are_shown_in_their_order(expected: str, shown: bool) -> None:
    assert lines_shown("one\ntwo\nthree\n", expected) is shown


def test_the_addresses_of_the_documents_are_the_defaults() -> None:
    assert Settings.model_fields["http_port"].default == 8700
    assert (ROOT / "README.md").read_text().count("http://127.0.0.1:8700")

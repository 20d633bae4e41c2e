"""The page about the saga language knows every word and argument, and the defaults that it shows are the code's."""

import inspect
import re
from collections.abc import Callable
from dataclasses import fields

import pytest

from sagas import Endpoint, Event, InvalidDefinition, Retry, Saga, pivot, step, undo
from support.documents import Document
from support.source import ROOT

PAGE = Document(ROOT / "docs" / "saga-language.md")
WORDS: dict[str, Callable[..., object]] = {
    "Saga": Saga,
    "step": step,
    "undo": undo,
    "pivot": pivot,
    "Retry": Retry,
    "Endpoint": Endpoint,
}


def rows() -> dict[tuple[str, str], str]:
    """What is shown as the default, by word and argument."""
    found: dict[tuple[str, str], str] = {}
    word = ""
    table = PAGE.text.partition("## The words")[2].partition("\n\nDurations")[0]
    for line in table.strip().splitlines()[2:]:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        word = cells[0].strip("`") or word
        names, defaults = (re.findall(r"`([^`]+)`", cell) for cell in cells[1:3])
        shown = defaults if len(defaults) == len(names) else [cells[2]] * len(names)
        found |= {(word, name.rstrip("=")): default for name, default in zip(names, shown, strict=True)}
    return found


def test_every_argument_that_is_given_by_name_is_on_the_page() -> None:
    by_name = {
        (word, name)
        for word, what in WORDS.items()
        for name, parameter in inspect.signature(what).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY or (name == "name" and word == "Endpoint") or word == "Retry"
    }

    assert set(rows()) == by_name
    assert all(f"{field.name}=" in PAGE.text for field in fields(Event) if field.name != "type")


@pytest.mark.parametrize("word", ["step", "undo"])
def test_the_defaults_that_are_shown_are_those_of_the_code(word: str) -> None:
    parameters = inspect.signature(WORDS[word]).parameters

    assert eval(rows()[word, "timeout"]) == parameters["timeout"].default  # noqa: S307 - our own text
    assert eval(rows()[word, "retry"]) == parameters["retry"].default  # noqa: S307 - our own text


def test_the_pauses_that_are_shown_are_those_of_the_code() -> None:
    shown = {name: float(default.strip("`")) for (word, name), default in rows().items() if word == "Retry"}

    assert shown == {field.name: field.default for field in fields(Retry)}


def test_a_field_of_the_own_reply_is_refused_as_the_page_shows() -> None:
    (shown,) = (block.text.strip() for block in PAGE.blocks if "own reply" in block.text and block.language == "text")
    code = PAGE.written_in("python")[0].text
    asking = code.replace("class ReleaseRoom(Command): ...\n", "class ReleaseRoom(Command):\n    room: str\n")
    assert asking != code

    with pytest.raises(InvalidDefinition) as raised:
        exec(asking, {"__name__": "journey"})  # noqa: S102 - our own text

    assert shown in str(raised.value)

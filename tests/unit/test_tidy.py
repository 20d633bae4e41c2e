"""The project's own rules, checked.

An exception is listed beside its rule with a reason, and a list may only shrink.
"""

import ast
import re
import sys
from collections.abc import Iterable

import pytest

from support.source import Source, files, python

MAX_FILE_LINES = 300
MAX_FUNCTION_LINES = 40

#: Who may import whom, among our own packages: sagas ◀ adapters ◀ {orchestrator, participants} ◀ chaos ◀ cli.
#: The client knows the public HTTP API and nothing of who answers it.
MAY_IMPORT = {
    "sagas": {"sagas"},
    "adapters": {"sagas", "adapters"},
    "orchestrator": {"sagas", "adapters", "orchestrator"},
    "participants": {"sagas", "adapters", "participants"},
    "client": {"sagas", "client"},
    "chaos": {"sagas", "adapters", "orchestrator", "participants", "chaos"},
    "cli": {"sagas", "adapters", "orchestrator", "participants", "client", "chaos", "cli"},
}

#: What the language may import: pydantic only computes, and brings typing_extensions along.
PURE = {"sagas", "pydantic", "pydantic_core", "typing_extensions", *sys.stdlib_module_names}

#: Libraries that one place of the product wraps, so that one place changes when they do.
ONLY_IN = {
    **dict.fromkeys(
        ("motor", "pymongo", "bson", "gridfs"),
        # The launcher of test and demo servers makes a replica set of one before any client of the product can connect.
        ("adapters/mongo.py", "adapters/mongo_errors.py", "adapters/mongo_writes.py", "adapters/servers/mongod.py"),
    ),
    **dict.fromkeys(("redis", "faststream"), ("adapters/streams/",)),
    "opentelemetry": ("adapters/tracing/otel.py", "adapters/tracing/configuration.py"),
}

#: Where clock, waiting and randomness come from; everything else gets them as arguments, so that a run can be repeated.
COMPOSITION_ROOTS = (
    "adapters/clock.py",
    "adapters/servers/",
    "adapters/tracing/configuration.py",
    "chaos/sim/loop.py",
    "cli/",
    "client/surroundings.py",
    "orchestrator/app.py",
    "participants/app.py",
)
IMPURE = re.compile(
    r"datetime\.(datetime\.)?(now|utcnow|today)|datetime\.date\.today|time\.(time|time_ns|sleep)|asyncio\.sleep"
    r"|(uuid|uuid_utils(\.compat)?)\.uuid[1-8]|random\.(?!Random$)\w+|secrets\.\w+|os\.urandom"
)

LONG_FILES: dict[str, str] = {}
LONG_FUNCTIONS: dict[str, str] = {}


def product() -> list[Source]:
    return [source for source in python() if source.name.split("/")[0] in MAY_IMPORT]


def suite() -> list[Source]:
    return [source for source in python() if source.below("tests/")]


def root_of(dotted: str) -> str:
    return dotted.partition(".")[0]


def found(lines: Iterable[str]) -> str:
    return "\n".join(lines)


def test_packages_import_one_way() -> None:
    assert not found(
        f"{source.name}:{line}: imports {name}"
        for source in product()
        for line, name in source.imports
        if root_of(name) in MAY_IMPORT and root_of(name) not in MAY_IMPORT[root_of(source.name.replace("/", "."))]
    )


def test_the_language_needs_only_pydantic_and_the_standard_library() -> None:
    assert not found(
        f"{source.name}:{line}: imports {name}"
        for source in product()
        for line, name in source.imports
        if source.below("sagas/") and root_of(name) not in PURE
    )


def test_the_core_imports_only_the_language_and_waits_for_nothing() -> None:
    core = [source for source in product() if source.below("orchestrator/core/")]
    assert core
    assert not found(
        f"{source.name}:{line}: imports {name}"
        for source in core
        for line, name in source.imports
        if not name.startswith("orchestrator.core.") and root_of(name) not in {"sagas", *sys.stdlib_module_names}
    )
    assert not found(
        f"{source.name}:{node.lineno}: is async"
        for source in core
        for node in source.functions
        if isinstance(node, ast.AsyncFunctionDef)
    )


@pytest.mark.parametrize("library", ONLY_IN)
def test_a_wrapped_library_is_named_only_where_it_is_wrapped(library: str) -> None:
    assert not found(
        f"{source.name}:{line}: imports {name}"
        for source in product()
        for line, name in source.imports
        if root_of(name) == library and not source.below(*ONLY_IN[library])
    )


def test_clock_waiting_and_randomness_are_arguments() -> None:
    assert not found(
        f"{source.name}:{line}: {name}"
        for source in product()
        for line, name in source.uses
        if IMPURE.fullmatch(name) and not source.below(*COMPOSITION_ROOTS)
    )


def test_a_file_can_be_read_in_one_sitting() -> None:
    long = {source.name: source.text.count("\n") for source in python() if source.text.count("\n") > MAX_FILE_LINES}
    assert long.keys() == LONG_FILES.keys(), long


def test_a_function_fits_on_a_screen() -> None:
    long = {
        f"{source.name}:{node.name}": lines
        for source in python()
        for node in source.functions
        if (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > MAX_FUNCTION_LINES
    }
    assert long.keys() == LONG_FUNCTIONS.keys(), long


def test_a_module_opens_with_what_it_is_for() -> None:
    assert not found(source.name for source in python() if not ast.get_docstring(source.tree))


def test_nothing_is_left_to_do() -> None:
    mark = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")
    assert not found(source.name for source in files() if mark.search(source.text))


def test_only_the_command_line_prints() -> None:
    assert not found(
        f"{source.name}:{line}"
        for source in product()
        for line, name in source.names
        if name == "print" and not source.below("cli/")
    )


def test_a_test_waits_for_a_condition_and_never_for_time() -> None:
    assert not found(
        f"{source.name}:{line}: {name}"
        for source in suite()
        for line, name in source.uses
        if name in {"asyncio.sleep", "time.sleep"} and not source.below("tests/support/")
    )


def test_no_test_replaces_our_own_code() -> None:
    # What is replaced is not tested, and its replacement lies as soon as the original changes: use the in-memory twins.
    assert not found(
        f"{source.name}:{line}: {name}"
        for source in suite()
        for line, name in [*source.uses, *source.names]
        if name.startswith("unittest.mock") or name in {"monkeypatch.setattr", "pytest_mock", "mocker"}
    )


def test_no_file_names_a_package_registry_or_a_path_of_one_machine() -> None:
    private = re.compile(
        r"py[p]i\.org|files\.python[h]osted|registry\.np[m]js|[d]eb\.debian\.org|(?<![\w.])/(home|Users|roo[t]|wor[k])/\w"
    )
    assert not found(
        f"{source.name}: {hit[0]}" for source in files() if (hit := private.search(source.text)) is not None
    )

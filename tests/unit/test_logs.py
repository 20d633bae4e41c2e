"""Logs: one line per fact, for people on a terminal and for programs; no payloads, and no line but our own."""

import json
import re
import subprocess
import sys
from typing import Any

import pytest

LOGGING = """
import logging, structlog
from adapters import logs
logs.configure("{level}", "{log_format}")
log = structlog.get_logger("a")
log.debug("hidden")
log.info("saga-ended", saga_id="s", reason="two\\nlines")
logging.getLogger("uvicorn.error").warning("from %s", "uvicorn")
logging.getLogger("pymongo").info("hidden too")
try:
    secret = "hunter2"
    try:
        raise KeyError("the card 4111 of alice")
    except KeyError as cause:
        raise ValueError("broken by\\n2026-11-26T00:00:00Z [info     ] forged") from cause
except ValueError:
    log.exception("failed")
    logging.getLogger("asyncio").exception("failed too")
"""

FORGING = """
import logging, structlog
from adapters import logs
logs.configure("debug", "{log_format}")
forged = "\\n\\r\\u2028\\x1b[2J\\x00\\x85 2026-11-26T00:00:00Z [info     ] forged"
log = structlog.get_logger("a")
log.info("reply-undecodable", reason=forged, saga_id=forged, attempts=[forged], told={{"by": forged}})
logging.getLogger("library").warning("said %s", forged)
log.info("cut", reason="x" * 100_000)
try:
    raise ValueError(forged)
except ValueError:
    log.exception("failed")
"""


def logged(log_format: str, level: str = "info", program: str = LOGGING) -> str:
    """What a process with these logs writes to standard error."""
    source = program.replace("{log_format}", log_format).replace("{level}", level).replace("{{", "{").replace("}}", "}")
    return subprocess.run([sys.executable, "-c", source], capture_output=True, check=True, text=True).stderr


def lines(log_format: str, level: str = "info", program: str = LOGGING) -> list[dict[str, Any]]:
    """The lines for programs."""
    return [json.loads(line) for line in logged(log_format, level, program).split("\n") if line]


def test_logs_are_json_where_no_terminal_is() -> None:
    found = lines("auto")
    assert [line["event"] for line in found] == ["saga-ended", "from uvicorn", "failed", "failed too"]
    assert [line["level"] for line in found] == ["info", "warning", "error", "error"]
    assert found[0]["saga_id"] == "s"
    assert found[0]["timestamp"].endswith("Z")


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_an_exception_is_told_by_its_type_and_place_without_its_words_or_any_variable(log_format: str) -> None:
    text = logged(log_format)
    for said in ("KeyError", "ValueError", "<string>:13 in <module>", "<string>:15 in <module>"):
        assert text.count(said) == 2
    for unsaid in ("hunter2", "4111", "alice", "broken by"):
        assert unsaid not in text


def test_people_see_the_line_of_code_that_raised_and_programs_only_its_place() -> None:
    program = "from adapters import logs\nimport structlog, json\nlogs.configure('info', '{log_format}')\n"
    program += "try:\n    json.loads('{')\nexcept ValueError:\n    structlog.get_logger('a').exception('failed')\n"
    code = "in loads: return _default_decoder.decode(s)"
    assert code in logged("console", program=program)
    assert code not in logged("json", program=program)


@pytest.mark.parametrize(
    ("log_format", "level", "told"), [("console", "info", 0), ("console", "debug", 1), ("json", "info", 1)]
)
def test_people_are_spared_what_every_start_says_for_every_stream(log_format: str, level: str, told: int) -> None:
    program = "from adapters import logs\nimport structlog\nlogs.configure('{level}', '{log_format}')\n"
    program += "structlog.get_logger('a').info('reader-started', stream='s')\n"
    program += "structlog.get_logger('a').info('saga-status', status='completed')\n"
    said = logged(log_format, level, program)
    assert said.count("reader-started") == told
    assert said.count("saga-status") == 1


def test_a_line_for_people_has_no_padding() -> None:
    line, *_ = logged("console").splitlines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ \[info\] saga-ended reason=\S+ saga_id=s", line), line


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_whoever_debugs_sees_the_words_too(log_format: str) -> None:
    assert "KeyError: 'the card 4111 of alice'" in logged(log_format, "debug")


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_no_text_can_begin_a_line_or_change_a_terminal(log_format: str) -> None:
    text = logged(log_format, program=FORGING)
    beginnings = [line for line in text.splitlines() if line.startswith(("2026", "{", " 2026"))]
    assert len(beginnings) == 4
    assert all(char.isprintable() or char == "\n" for char in text)
    assert max(map(len, text.splitlines())) < 8_000


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_who_logs_outlives_whoever_reads_it(log_format: str) -> None:
    source = f"""
import logging, structlog
from adapters import logs
logs.configure("info", "{log_format}")
input()
for level in ("info", "warning", "error", "exception"):
    getattr(structlog.get_logger("a"), level)("lost")
logging.getLogger("library").warning("lost, too")
print("lives")
"""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", source], stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stderr is not None
        process.stderr.close()
        said, _ = process.communicate("go\n")
    assert said == "lives\n"


def test_what_is_cut_is_cut_at_its_bound() -> None:
    (line,) = [line for line in lines("json", program=FORGING) if line["event"] == "cut"]
    assert len(line["reason"]) == 4_000

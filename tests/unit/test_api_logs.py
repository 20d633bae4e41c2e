"""Logs: one line per fact, for people on a terminal and for programs elsewhere."""

import json
import subprocess
import sys

LOGGING = """
import logging, structlog
from orchestrator import logs
logs.configure("info", "{log_format}")
log = structlog.get_logger("a")
log.debug("hidden")
log.info("saga-ended", saga_id="s", reason="two\\nlines")
logging.getLogger("uvicorn.error").warning("from %s", "uvicorn")
logging.getLogger("pymongo").info("hidden too")
try:
    secret = "hunter2"
    raise ValueError("broken")
except ValueError:
    log.exception("failed")
"""


def logged(log_format: str) -> str:
    """What a process with these logs writes to standard error."""
    program = [sys.executable, "-c", LOGGING.replace("{log_format}", log_format)]
    return subprocess.run(program, capture_output=True, check=True, text=True).stderr


def test_logs_are_json_where_no_terminal_is() -> None:
    lines = [json.loads(line) for line in logged("auto").splitlines()]
    assert [line["event"] for line in lines] == ["saga-ended", "from uvicorn", "failed"]
    assert [line["level"] for line in lines] == ["info", "warning", "error"]
    assert lines[0]["saga_id"] == "s"
    assert lines[0]["timestamp"].endswith("Z")
    assert "ValueError: broken" in lines[2]["exception"]


def test_logs_for_people_show_no_local_variables() -> None:
    text = logged("console")
    assert "saga-ended" in text
    assert "ValueError: broken" in text
    assert "hunter2" not in text

"""Shared servers are containers where Docker can have them, else local programs; and the last lines say which.

Each test runs pytest once more, over one test that needs MongoDB, with a Docker that does not help.
"""

import os
import socket
import subprocess
import sys

from support.source import ROOT

NEEDS_MONGODB = "tests/integration/test_audit_mongo.py"
NOBODY = "tcp://127.0.0.1:1"


def run(docker: str, servers: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", NEEDS_MONGODB, "--servers", servers]
    given = {name: value for name, value in os.environ.items() if name not in {"SAGA_TEST_MONGO_URL", "CI"}}
    ended = subprocess.run(
        command, cwd=ROOT, env={**given, "DOCKER_HOST": docker}, capture_output=True, text=True, check=False
    )
    return ended.returncode, ended.stdout


def test_without_docker_the_tests_run_on_local_programs_and_say_why() -> None:
    code, said = run(NOBODY, "auto")
    assert (code, "skipped" in said) == (0, False), said
    assert "servers: local programs (no containers: " in said


def test_a_docker_that_never_answers_holds_nobody_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        code, said = run(f"tcp://127.0.0.1:{mute.getsockname()[1]}", "auto")
    assert code == 0, said
    assert "servers: local programs (no containers: " in said


def test_who_insists_on_containers_is_told_why_there_are_none() -> None:
    code, said = run(NOBODY, "containers")
    assert code == 1
    assert "--servers containers: DockerException" in said


def test_who_insists_on_local_programs_does_not_ask_docker() -> None:
    code, said = run(NOBODY, "wheels")
    assert code == 0, said
    assert "servers: local programs\n" in said

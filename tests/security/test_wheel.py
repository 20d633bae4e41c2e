"""What is installed holds no test; no service can be made to fail on purpose, or knows what would do that."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from orchestrator.settings import Settings
from participants.settings import ParticipantSettings

REFUSES = {"adapters/process.py"}  #: names the variable of failure-injection runs, in order to refuse it
ROOT = Path(__file__).parents[2]
PACKAGES = {"sagas", "adapters", "orchestrator", "participants", "chaos", "client", "cli"}
#: What services are made of. The others are tools: what makes trouble strikes only what it has started itself.
SERVICES = ("sagas/", "adapters/", "orchestrator/", "participants/", "client/")
#: Crash points, planted faults, and switches for them. Docstrings may speak of crashes; code may not have any.
HOOK = re.compile(
    r"crash_?(point|here|at)\b|\bfault_?(point|hook|injection)\b|\bdef (crash|inject)\w*"
    r"|SAGA_(CRASH|FAULT|CHAOS|DEBUG)|configureFailPoint|\bbreakpoint\(|\bpdb\b",
    re.IGNORECASE,
)


def of_services(wheel: zipfile.ZipFile) -> list[str]:
    """Everything that a service is made of."""
    return [name for name in wheel.namelist() if name.endswith(".py") and name.startswith(SERVICES)]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    directory = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(directory)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=60)
    (built,) = directory.glob("*.whl")
    return zipfile.ZipFile(built)


def test_the_wheel_holds_the_product_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    tops = {name.partition("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == PACKAGES
    assert not [name for name in wheel.namelist() if re.search(r"(^|/)(test_|conftest|fuzz)", name)]


def test_no_file_of_a_service_can_make_it_fail_on_purpose(wheel: zipfile.ZipFile) -> None:
    for name in of_services(wheel):
        if name not in REFUSES:
            assert [one[0] for one in HOOK.finditer(wheel.read(name).decode())] == [], name


def test_no_service_imports_what_makes_trouble(wheel: zipfile.ZipFile) -> None:
    imports = re.compile(r"^\s*(from|import) (chaos|cli)\b", re.MULTILINE)

    assert not [name for name in of_services(wheel) if imports.search(wheel.read(name).decode())]


def test_no_setting_makes_the_product_fail_on_purpose() -> None:
    names = [*Settings.model_fields, *ParticipantSettings.model_fields]
    assert not [name for name in names if re.search(r"crash|fault|chaos|inject|debug|test", name)]

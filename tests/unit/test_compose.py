"""compose.yaml: what every container must have, whoever changes it. Needs no Docker; test_containers.py runs it."""

import re
import subprocess
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest
import yaml

from adapters.servers import mongod, redis
from benchmarks.cases import DEPLOYED
from cli.deployment.files import Installation, contents_of
from cli.deployment.passwords import Passwords
from participants.app import SHIPPED
from support.source import ROOT

COMPOSE: Mapping[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: Mapping[str, Mapping[str, Any]] = COMPOSE["services"]
#: These end by themselves, or run only for one command.
ONCE = {"secrets", "init", "saga"}
#: Whose user has the image's own name for it; the others have a number, which is not 0.
NAMED_USERS = {
    "mongo": "mongodb:10001",
    "redis": "redis:10001",
    "balancer": "haproxy",
    "prometheus": "nobody:10001",
    "grafana": "grafana",
}
NO_SECRETS = {"balancer", "grafana"}
DATABASES = {"mongo", "redis"}
WATCHING = {"prometheus", "grafana"}
#: MongoDB has a thread for each connection, and each of our processes has a pool of them.
MANY_PROCESSES = {"mongo": 2000}
#: Who has a file open for each connection of others; without a limit it is whatever the machine has.
MANY_FILES = {"mongo", "redis", "balancer"}


@pytest.mark.parametrize("name", SERVICES)
def test_every_container_is_shut_in(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["user"] == NAMED_USERS.get(name, "10001:10001")
    assert service["pids_limit"] == MANY_PROCESSES.get(name, 200)
    assert service.get("ulimits") == ({"nofile": 16384} if name in MANY_FILES else None)
    assert re.fullmatch(r"[1-9]\d*[mg]", service["mem_limit"])
    assert not {"privileged", "pid", "ipc", "devices", "userns_mode"} & service.keys()
    assert not any("docker.sock" in str(volume) for volume in service.get("volumes", ()))
    assert service["logging"]["options"]["max-size"]


@pytest.mark.parametrize("name", SERVICES)
def test_every_container_is_watched_and_waits_for_what_it_needs(name: str) -> None:
    service = SERVICES[name]
    if name in ONCE:
        assert service["healthcheck"] == {"disable": True}
    else:
        assert service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")
        assert not any("curl" in str(part) or "sleep" in str(part) for part in service["healthcheck"]["test"])
        assert service["restart"] == "unless-stopped"
    conditions = {one["condition"] for one in service.get("depends_on", {}).values()}
    assert conditions <= {"service_healthy", "service_completed_successfully", "service_started"}
    if name in {"orchestrator", *SHIPPED}:
        assert service["depends_on"]["init"] == {"condition": "service_completed_successfully"}


@pytest.mark.parametrize("name", SERVICES)
def test_no_container_is_told_a_secret_but_by_files_of_its_own(name: str) -> None:
    service = SERVICES[name]
    for variable, value in service.get("environment", {}).items():
        assert variable.endswith("_FILE") or not re.search(r"PASS|SECRET|KEY|TOKEN|://[^/]*@", f"{variable}={value}")
    mounted = [volume for volume in service.get("volumes", ()) if "-secrets:" in volume]
    if name != "secrets":
        owner = {"saga": "operator"}.get(name, name)
        assert mounted == [f"{owner}-secrets:/run/secrets:ro"] or (name in NO_SECRETS and not mounted)


def test_every_service_has_a_volume_for_its_secrets_and_the_image_a_place_for_it() -> None:
    where = Installation(
        mongo="mongo:27017",
        redis="redis:6379",
        database_prefix="saga_",
        stream_prefix="saga.",
        participants=[*SHIPPED],
    )
    written = {path.partition("/")[0] for path in contents_of(where, Passwords.new())}
    mounted = dict(volume.split(":") for volume in SERVICES["secrets"]["volumes"])
    assert mounted == {f"{name}-secrets": f"/secrets/{name}" for name in written}
    assert mounted.keys() <= COMPOSE["volumes"].keys()
    (places,) = re.findall(r'^ARG SECRETS="(.+)"$', (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert set(places.split()) == written


def test_images_have_a_version_or_are_built_here() -> None:
    built = {service["image"] for service in SERVICES.values() if "build" in service}
    for service in SERVICES.values():
        if service["image"] in built:
            # Compose would first ask a registry for it, and a stranger's image of that name would be ours.
            assert service["pull_policy"] == "never"
            continue
        assert re.fullmatch(r"[a-z/]+:v?\d[\w.-]*", service["image"])
    for file in ("Dockerfile", "deploy/balancer/Dockerfile"):
        bases = re.findall(r"^FROM (\S+)", (ROOT / file).read_text(), re.MULTILINE)
        assert all(re.fullmatch(r"[a-z/]+:\d[\w.-]*", base) for base in bases), bases


def test_networks_let_nobody_reach_what_they_need_not() -> None:
    reaches = {name: set(service.get("networks", ())) for name, service in SERVICES.items()}
    for name in SHIPPED:
        neighbours = {other for other, networks in reaches.items() if networks & reaches[name]} - {name}
        assert neighbours == {*DATABASES, "prometheus"}, name
    assert {name for name, networks in reaches.items() if "front" in networks} == {"balancer", "orchestrator", "saga"}
    open_networks = {name for name, network in COMPOSE["networks"].items() if not network.get("internal")}
    assert {name for name, networks in reaches.items() if networks & open_networks} == {"balancer", "grafana"}
    published = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert all(port.startswith("127.0.0.1:") for port in published)
    assert {name for name, service in SERVICES.items() if "ports" in service} == {"balancer", "grafana"}
    assert SERVICES["secrets"]["network_mode"] == "none"
    assert {name for name, service in SERVICES.items() if service.get("profiles") == ["observe"]} == WATCHING


def test_who_writes_rights_has_the_settings_of_those_that_use_them() -> None:
    # Names of databases, streams and definitions are in the rights: `secrets` with others would lock all out.
    for name in ("secrets", "init", "orchestrator", *SHIPPED):
        assert COMPOSE["x-common"].items() <= SERVICES[name]["environment"].items(), name


def test_what_is_scaled_has_no_name_and_no_port_of_its_own() -> None:
    for name in ("orchestrator", *SHIPPED):
        assert not {"container_name", "ports", "hostname"} & SERVICES[name].keys()


def test_what_is_measured_as_deployed_has_as_many_orchestrators() -> None:
    assert SERVICES["orchestrator"]["scale"] == DEPLOYED


def test_the_image_is_made_of_the_product_and_nothing_else() -> None:
    sent = {line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"}
    listing = ["git", "ls-files", "*/__init__.py"]
    tracked = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    packages = {name.split("/")[0] for name in tracked}
    left_out = {"tests", "examples", "benchmarks"}
    assert sent == (packages - left_out) | {"LICENSE", "README.md", "constraints.txt", "pyproject.toml"}
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert {name for line in copied for name in line.split()} == sent


def test_mongodb_is_run_as_it_is_outside_of_containers() -> None:
    given = set(pairwise(SERVICES["mongo"]["command"][-1].split()))
    ours = set(zip(mongod.OPTIONS[::2], mongod.OPTIONS[1::2], strict=True))
    assert ours - given == {("--oplogSize", "256")}  # A laptop's disk may be small.


def test_redis_is_run_as_it_is_outside_of_containers() -> None:
    command = SERVICES["redis"]["command"]
    given = dict(pairwise(command))
    theirs = {"appendfsync": "everysec"}  #: Redis's own default, which needs not be said
    assert {name: given.get(f"--{name}", theirs.get(name)) for name in redis.OPTIONS} == redis.OPTIONS


def test_the_events_that_are_kept_leave_room_in_redis() -> None:
    command = SERVICES["redis"]["command"]
    room = int(command[command.index("--maxmemory") + 1].removesuffix("mb")) * 2**20
    assert int(SERVICES["orchestrator"]["environment"]["SAGA_EVENTS_KEPT"]) * 450 < room / 2

"""The manifests of deploy/kubernetes: valid, strict, and true to the settings, routes, commands and metrics."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]  # It has no types.
import pytest
import typer
import yaml

from cli.main import app
from orchestrator.api.access import TABLE
from orchestrator.metrics.catalogue import every_metric
from orchestrator.settings import Settings
from participants.settings import ParticipantSettings
from support.source import ROOT

Manifest = dict[str, Any]

DIRECTORY = ROOT / "deploy" / "kubernetes"
KUBERNETES = ("1.32", "1.37")  #: the oldest and the newest that the manifests are checked against
PARTICIPANTS = ("inventory", "payment", "orders")
SECRETS = "/run/secrets/saga"  #: where each container finds its own
CONTENTS = {
    "mongo_url": "mongodb://db/?replicaSet=rs0",
    "redis_url": "redis://redis",
    "api_keys": f"ada:{'0' * 64}:read",
}


def manifests(name: str = "*") -> list[Manifest]:
    files = sorted(DIRECTORY.glob(f"{name}.yaml"))
    return [each for file in files for each in yaml.safe_load_all(file.read_text()) if each["kind"] != "Kustomization"]


def pods() -> Iterator[Manifest]:
    """The specification of every pod."""
    for manifest in manifests():
        if manifest["kind"] in {"Deployment", "Job"}:
            yield manifest["spec"]["template"]["spec"]


def containers() -> Iterator[Manifest]:
    for pod in pods():
        yield from pod["containers"]


def secrets() -> dict[str, Manifest]:
    """The files of each secret."""
    return {each["metadata"]["name"]: each["stringData"] for each in manifests("secrets.example")}


def probes(container: Manifest) -> dict[str, Manifest]:
    return {name: each["httpGet"] for name, each in container.items() if name.endswith("Probe")}


@pytest.mark.parametrize("version", KUBERNETES)
def test_each_manifest_is_what_kubernetes_expects(version: str) -> None:
    for manifest in manifests():
        kubernetes_validate.validate(manifest, version, strict=True)


def test_all_of_them_are_applied_but_the_example_of_the_secrets() -> None:
    kustomization = yaml.safe_load((DIRECTORY / "kustomization.yaml").read_text())
    there = {file.name for file in DIRECTORY.glob("*.yaml")}
    assert set(kustomization["resources"]) == there - {"kustomization.yaml", "secrets.example.yaml"}


def test_a_container_may_do_nothing_but_its_work() -> None:
    for pod in pods():
        assert pod["automountServiceAccountToken"] is False
        own = pod["securityContext"]
        assert (own["runAsNonRoot"], own["runAsUser"], own["seccompProfile"]) == (
            True,
            10001,
            {"type": "RuntimeDefault"},
        )
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["limits"]["memory"]


def test_each_variable_is_a_setting_and_each_container_starts_with_its_own(tmp_path: Path) -> None:
    (config,) = manifests("config")
    kinds: dict[str, type[Settings | ParticipantSettings]] = dict.fromkeys(PARTICIPANTS, ParticipantSettings)
    for pod in pods():
        (container,) = pod["containers"]
        name = container["name"]
        given = config["data"] | {each["name"]: each["value"] for each in container.get("env", ())}
        kind = kinds.get(name, Settings)
        assert given.keys() <= {
            f"SAGA_{each.upper()}" for one in (Settings, ParticipantSettings) for each in one.model_fields
        }
        mounted = tmp_path / name
        mounted.mkdir()
        for file in secrets()[f"saga-{name}"]:
            (mounted / file).write_text(CONTENTS[file])
        values = {
            each.removeprefix("SAGA_").lower(): value.replace(SECRETS, str(mounted)) for each, value in given.items()
        }
        settings = kind.model_validate(values)
        assert (settings.mongo_url, settings.redis_url) == (CONTENTS["mongo_url"], CONTENTS["redis_url"])


def test_each_secret_that_is_mounted_is_in_the_example_and_that_has_no_values() -> None:
    mounted = [volume["secret"]["secretName"] for pod in pods() for volume in pod["volumes"] if "secret" in volume]
    assert sorted(mounted) == sorted(secrets())
    assert not any(value for data in secrets().values() for value in data.values())


def test_a_secret_is_a_file_and_in_no_environment() -> None:
    # Whoever may look at a pod sees its environment.
    for container in containers():
        assert container["envFrom"] == [{"configMapRef": {"name": "saga"}}]
        assert not any("valueFrom" in each for each in container.get("env", ()))
        assert {"mountPath": SECRETS, "name": "secrets", "readOnly": True} in container["volumeMounts"]


def test_each_probe_asks_a_route_that_is_open_at_a_port_that_there_is() -> None:
    routes = {path for (method, path), access in TABLE.items() if method == "GET" and access is None}
    for container in containers():
        ports = {each["name"] for each in container.get("ports", ())}
        asked = probes(container)
        assert {each["port"] for each in asked.values()} <= ports
        paths = {each["path"] for each in asked.values()}
        assert paths <= (routes if container["name"] == "orchestrator" else {"/metrics", "/readyz"})


def test_each_container_runs_a_command_that_there_is() -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]  # a group has them
    assert {container["args"][0] for container in containers()} <= commands.keys()


def test_the_participants_differ_in_their_names_alone() -> None:
    texts = {name: (DIRECTORY / f"{name}.yaml").read_text().replace(name, "NAME") for name in PARTICIPANTS}
    assert len(set(texts.values())) == 1


def test_each_service_is_scaled_by_a_metric_that_there_is_and_keeps_two() -> None:
    metrics = {metric.name for metric in every_metric()}
    scaled = {}
    for manifest in manifests():
        if manifest["kind"] == "HorizontalPodAutoscaler":
            spec = manifest["spec"]
            scaled[spec["scaleTargetRef"]["name"]] = spec["minReplicas"]
            assert {each["external"]["metric"]["name"] for each in spec["metrics"]} <= metrics
    assert scaled == dict.fromkeys(("orchestrator", *PARTICIPANTS), 2)


def test_services_reach_the_usual_ports_of_their_databases() -> None:
    (policy,) = [each for each in manifests("network") if each["metadata"]["name"] == "databases"]
    (ports,) = [rule["ports"] for rule in policy["spec"]["egress"] if "to" not in rule]
    assert {each["port"] for each in ports} == {27017, 6379, 26379}


def test_a_service_is_never_taken_away_whole() -> None:
    budgets = {each["metadata"]["name"]: each["spec"] for each in manifests() if each["kind"] == "PodDisruptionBudget"}
    deployments = {each["metadata"]["name"]: each["spec"] for each in manifests() if each["kind"] == "Deployment"}
    assert budgets.keys() == deployments.keys()
    for name, spec in deployments.items():
        assert budgets[name] == {"maxUnavailable": 1, "selector": spec["selector"]}
        pod = spec["template"]["spec"]
        apart = {each["topologyKey"] for each in pod["topologySpreadConstraints"]}
        assert apart == {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}
        assert pod["terminationGracePeriodSeconds"] >= 25

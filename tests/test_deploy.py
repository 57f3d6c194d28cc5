"""The Kubernetes manifests: valid by Kubernetes' own schemas, and in agreement with the commands and with each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import click
import kubernetes_validate
import pytest
import yaml
from flask import Flask

from docs import hooks
from posterity.cli.main import main
from tests.paths import ROOT

FILES = sorted((ROOT / "deploy" / "kubernetes").glob("*.yaml"))
MANIFESTS = [manifest for file in FILES for manifest in yaml.safe_load_all(file.read_text())]
VERSIONS = ["1.29", kubernetes_validate.latest_version()]


def name_of(manifest: Mapping[str, Any]) -> str:
    return f"{manifest['kind']} {manifest['metadata']['name']}"


def pods() -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the name and the template of the pods of every manifest that has some."""
    for manifest in MANIFESTS:
        spec = manifest.get("spec", {})
        template = spec.get("jobTemplate", {"spec": spec})["spec"].get("template")
        if template is not None:
            yield name_of(manifest), template


def containers() -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    for _, template in pods():
        for container in (*template["spec"].get("initContainers", ()), *template["spec"]["containers"]):
            yield template["spec"], container


@pytest.mark.parametrize("version", VERSIONS)
def test_manifests_are_valid(version: str) -> None:
    assert len(MANIFESTS) == 8
    for manifest in MANIFESTS:
        kubernetes_validate.validate(manifest, version, strict=True)


def test_a_wrong_manifest_is_found() -> None:
    (writer,) = [each for each in MANIFESTS if name_of(each) == "Deployment posterity-writer"]
    wrong = {**writer, "spec": {**writer["spec"], "replica": 2}}
    with pytest.raises(kubernetes_validate.ValidationError, match="replica"):
        kubernetes_validate.validate(wrong, VERSIONS[-1], strict=True)


def test_containers_run_commands_that_there_are_with_settings_that_there_are() -> None:
    variables = {
        str(option.envvar) for command, _ in hooks.all_commands() for option in command.params if option.envvar
    }
    for _, container in containers():
        command: click.Command = main
        words = list(container["args"])
        while isinstance(command, click.Group):
            command = command.commands[words.pop(0)]
        given = {variable["name"]: variable["value"] for variable in container.get("env", ())}
        for source in container.get("envFrom", ()):
            if "configMapRef" in source:
                (found,) = [
                    each for each in MANIFESTS if name_of(each) == f"ConfigMap {source['configMapRef']['name']}"
                ]
                given |= found["data"]
        assert given.keys() <= variables
        with pytest.MonkeyPatch.context() as patch:
            for name, value in given.items():
                patch.setenv(name, value)
            command.make_context(command.name, words)
        assert container["image"] == ("posterity-server" if command.name == "serve" else "posterity")


def test_selectors_volumes_and_ports_fit_together(app: Flask) -> None:
    claims = {each["metadata"]["name"] for each in MANIFESTS if each["kind"] == "PersistentVolumeClaim"}
    labels = [template["metadata"]["labels"] for _, template in pods()]
    for manifest in MANIFESTS:
        if manifest["kind"] in {"Service", "PodDisruptionBudget", "Deployment"}:
            selector = manifest["spec"]["selector"]
            selector = selector.get("matchLabels", selector)
            assert sum(selector.items() <= each.items() for each in labels) == 1, name_of(manifest)
    rules = {rule.rule for rule in app.url_map.iter_rules()}
    for spec, container in containers():
        volumes = {volume["name"]: volume for volume in spec["volumes"]}
        assert {mount["name"] for mount in container["volumeMounts"]} <= volumes.keys()
        used = {
            each["persistentVolumeClaim"]["claimName"] for each in volumes.values() if "persistentVolumeClaim" in each
        }
        assert used <= claims
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            assert container.get(probe, {}).get("httpGet", {}).get("path", "/livez") in rules


def test_containers_have_no_rights_and_only_one_server_writes() -> None:
    for spec, container in containers():
        assert spec["securityContext"]["runAsNonRoot"]
        assert spec["securityContext"]["runAsUser"] == 10001  # the user of the images
        assert not spec["automountServiceAccountToken"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"]["memory"]
    (writer,) = [each for each in MANIFESTS if name_of(each) == "Deployment posterity-writer"]
    assert writer["spec"]["replicas"] == 1
    assert writer["spec"]["strategy"] == {"type": "Recreate"}

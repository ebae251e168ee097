"""The files of deploy/ hold together: parsed by their formats' own tools, and every name that they use exists.

What a machine without a cloud cannot say is in deploy/README.md, "What is not validated".
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hcl2
import kubernetes_validate
import pytest
import yaml

ROOT = Path(__file__).parents[2]
TERRAFORM = sorted((ROOT / "deploy" / "terraform").glob("*.tf"))
MANIFESTS = sorted((ROOT / "deploy" / "kubernetes").glob("*.yaml"))
KUBERNETES = kubernetes_validate.latest_version()
CUSTOM = {"FlinkDeployment"}
"""Kinds that Kubernetes itself does not know."""


def parsed() -> Iterator[dict[str, Any]]:
    for file in TERRAFORM:
        with file.open() as text:
            yield hcl2.load(text)


def unquoted(name: str) -> str:
    return name.strip('"')


def declared() -> set[str]:
    """`google_pubsub_topic.events`, `var.region`, `local.job` ..."""
    names: set[str] = set()
    for part in parsed():
        for block in part.get("resource", []):
            names |= {
                f"{unquoted(kind)}.{unquoted(name)}"
                for kind, named in block.items()
                for name in named
                if name != "__is_block__"
            }
        names |= {
            f"var.{unquoted(name)}" for block in part.get("variable", []) for name in block if name != "__is_block__"
        }
        names |= {
            f"local.{unquoted(name)}" for block in part.get("locals", []) for name in block if name != "__is_block__"
        }
    return names


def code_of(file: Path) -> str:
    return "\n".join(
        line for line in file.read_text().splitlines() if not line.lstrip().startswith(("#", "description"))
    )


@pytest.mark.parametrize("file", TERRAFORM, ids=lambda file: file.name)
def test_what_terraform_refers_to_is_declared(file: Path) -> None:
    used = set(re.findall(r"\b((?:var|local)\.\w+|google_\w+\.\w+)", code_of(file)))
    assert used - declared() == set()


def test_every_variable_is_used_and_described() -> None:
    whole = "\n".join(code_of(file) for file in TERRAFORM)
    for part in parsed():
        for block in part.get("variable", []):
            for name, said in block.items():
                if name == "__is_block__":
                    continue
                assert said["description"], name
                assert f"var.{unquoted(name)}" in whole, name


def test_terraform_is_laid_out_as_its_formatter_does() -> None:
    for file in TERRAFORM:
        lines = file.read_text().splitlines()
        assert all(line == line.rstrip() and "\t" not in line for line in lines), file.name
        assert all(len(line) - len(line.lstrip()) in range(0, 20, 2) for line in lines), file.name


def documents() -> list[Any]:
    return [
        pytest.param(document, id=f"{file.stem}-{document['kind']}-{document['metadata']['name']}")
        for file in MANIFESTS
        for document in yaml.safe_load_all(file.read_text())
    ]


@pytest.mark.parametrize("document", documents())
def test_a_manifest_is_what_kubernetes_takes(document: dict[str, Any]) -> None:
    if document["kind"] not in CUSTOM:
        kubernetes_validate.validate(document, KUBERNETES, strict=True)
    if document["kind"] != "Namespace":
        assert document["metadata"]["namespace"] == "tidemark"


def containers(document: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = document["spec"]["template"]["spec"]["containers"]
    return found


@pytest.mark.parametrize(
    "document", [one for one in documents() if one.values[0]["kind"] in {"Deployment", "StatefulSet"}]
)
def test_what_runs_is_probed_bounded_and_unprivileged(document: dict[str, Any]) -> None:
    assert document["spec"]["template"]["spec"]["securityContext"]["runAsNonRoot"] is True
    for container in containers(document):
        assert {"readinessProbe", "livenessProbe"} <= set(container)
        assert {"cpu", "memory"} <= set(container["resources"]["requests"])
        assert "memory" in container["resources"]["limits"]
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert not container["image"].endswith(":latest")


def test_everything_that_listens_is_named_in_a_network_policy() -> None:
    loaded = [one.values[0] for one in documents()]
    services = {one["metadata"]["name"] for one in loaded if one["kind"] == "Service"}
    policies = "\n".join(yaml.dump(one["spec"]) for one in loaded if one["kind"] == "NetworkPolicy")
    assert {name for name in services if not re.search(rf"\b{name}\b", policies)} == set()


def test_the_files_for_one_host_name_what_exists() -> None:
    compose = yaml.safe_load((ROOT / "deploy" / "compose" / "compose.yaml").read_text())
    for service in compose["services"].values():
        build = service.get("build")
        assert build is None or (ROOT / build["dockerfile"]).is_file()
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), "a proxy with TLS stands before it"
    used = {volume.split(":")[0] for service in compose["services"].values() for volume in service.get("volumes", [])}
    assert {name for name in used if not name.startswith(".")} == set(compose["volumes"])


@pytest.mark.parametrize("name", ["Dockerfile", "Dockerfile.api"])
def test_images_copy_what_exists(name: str) -> None:
    for line in (ROOT / "deploy" / name).read_text().splitlines():
        if line.startswith("COPY ") and "--from" not in line:
            *sources, _ = line.split()[1:]
            assert [source for source in sources if not (ROOT / source).exists()] == []

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

from pipelines.options.beam import unknown_options
from pipelines.options.profiles import profiles_argument_parser

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


FLINKS_OWN = "flink-main-container"
"""The container whose image and resources the operator fills in, from `image` and `resource`."""


def flink_pods(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The pods that the operator makes: the template of a role upon that of all, as it merges them."""
    spec = document["spec"]
    return {role: merged(spec["podTemplate"], spec[role]["podTemplate"]) for role in ("jobManager", "taskManager")}


def merged(one: Any, other: Any) -> Any:
    """Objects by field, lists of named things by name."""
    if isinstance(one, dict) and isinstance(other, dict):
        return {name: merged(one.get(name), other.get(name)) for name in {**one, **other}}
    if isinstance(one, list) and isinstance(other, list):
        by_name = {item["name"]: item for item in one}
        for item in other:
            by_name[item["name"]] = merged(by_name.get(item["name"]), item)
        return list(by_name.values())
    return one if other is None else other


def pods() -> list[Any]:
    """Every pod that a manifest makes, with whether it runs for good."""
    found = []
    for parameter in documents():
        document = parameter.values[0]
        if document["kind"] in {"Deployment", "StatefulSet", "Job"}:
            pod = document["spec"]["template"]
            found.append(pytest.param(pod, document["kind"] != "Job", id=str(parameter.id)))
        elif document["kind"] == "FlinkDeployment":
            found += [pytest.param(pod, True, id=f"flink-{role}") for role, pod in flink_pods(document).items()]
    return found


@pytest.mark.parametrize(("pod", "stays"), pods())
def test_what_runs_is_probed_bounded_and_unprivileged(pod: dict[str, Any], stays: bool) -> None:
    assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
    assert pod["spec"]["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in pod["spec"]["containers"]:
        assert not stays or {"readinessProbe", "livenessProbe"} <= set(container)
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}, "the namespace is restricted"
        if container["name"] != FLINKS_OWN:
            assert {"cpu", "memory"} <= set(container["resources"]["requests"])
            assert "memory" in container["resources"]["limits"]
            assert not container["image"].endswith(":latest")


@pytest.mark.parametrize("role", ["jobManager", "taskManager"])
def test_a_pod_of_flink_is_what_kubernetes_takes(role: str) -> None:
    [flink] = [one.values[0] for one in documents() if one.values[0]["kind"] == "FlinkDeployment"]
    assert {"cpu", "memory"} == set(flink["spec"][role]["resource"])
    kubernetes_validate.validate(flink_pods(flink)[role], KUBERNETES, strict=True)
    assert not flink["spec"]["image"].endswith(":latest")


def test_the_job_on_flink_has_options_that_there_are() -> None:
    [job] = [one.values[0] for one in documents() if one.values[0]["kind"] == "Job"]
    [launcher] = job["spec"]["template"]["spec"]["containers"]
    known, rest = profiles_argument_parser().parse_known_args(launcher["args"])
    assert list(unknown_options(profiles_argument_parser(), rest)) == []
    assert known.input == ["kafka:kafka:9092/events"]
    assert job["spec"]["backoffLimit"] == 0, "started again, it would submit a second stream"
    assert job["spec"]["template"]["spec"]["restartPolicy"] == "Never"
    assert "--finish_bundle_before_checkpointing" in rest, "docs/cluster.md: without it Beam loses outputs"


def test_the_parts_of_flink_find_each_other() -> None:
    loaded = [one.values[0] for one in documents()]
    [flink] = [one for one in loaded if one["kind"] == "FlinkDeployment"]
    [launcher] = [one for one in loaded if one["kind"] == "Job"]
    [server] = [one for one in loaded if one["metadata"]["name"] == "job-server" and one["kind"] == "Deployment"]
    [service] = [one for one in loaded if one["metadata"]["name"] == "job-server" and one["kind"] == "Service"]
    arguments = launcher["spec"]["template"]["spec"]["containers"][0]["args"]
    ports = {port["name"]: port["port"] for port in service["spec"]["ports"]}
    assert f"--job_endpoint=job-server:{ports['jobs']}" in arguments
    assert f"--artifact_endpoint=job-server:{ports['artifacts']}" in arguments
    given = server["spec"]["template"]["spec"]["containers"][0]["args"]
    assert f"--flink-master={flink['metadata']['name']}-rest:8081" in given, "the operator's own service"
    of_each = int(flink["spec"]["flinkConfiguration"]["taskmanager.numberOfTaskSlots"])
    assert f"--parallelism={flink['spec']['taskManager']['replicas'] * of_each}" in arguments


def test_the_worker_pool_is_beside_each_task_manager() -> None:
    [flink] = [one.values[0] for one in documents() if one.values[0]["kind"] == "FlinkDeployment"]
    [launcher] = [one.values[0] for one in documents() if one.values[0]["kind"] == "Job"]
    worker = flink_pods(flink)["taskManager"]["spec"]
    [pool] = [one for one in worker["containers"] if one["name"] == "worker-pool"]
    [port] = pool["ports"]
    [of_job] = launcher["spec"]["template"]["spec"]["containers"]
    assert f"--environment_config=localhost:{port['containerPort']}" in of_job["args"]
    assert pool["image"] == of_job["image"], "what submits and what works must be of one release"
    assert {mount["name"] for mount in pool["volumeMounts"]} == {volume["name"] for volume in worker["volumes"]}


def test_checkpoints_are_in_the_object_store() -> None:
    [flink] = [one.values[0] for one in documents() if one.values[0]["kind"] == "FlinkDeployment"]
    configuration = flink["spec"]["flinkConfiguration"]
    assert all(isinstance(value, str) for value in configuration.values()), "the operator takes text only"
    places = [value for name, value in configuration.items() if name.endswith(("dir", "Dir"))]
    assert len(places) == 3
    assert all(place.startswith("s3://BUCKET/") for place in places)


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

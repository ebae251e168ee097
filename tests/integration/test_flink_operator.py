"""The manifest for the Flink operator is what the operator takes: by the schema in the jar that it publishes."""

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from services.building import build_artifact, maven_jars

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
OPERATOR = maven_jars("flink_operator", "flink_operator/lib")
RESOURCE = "META-INF/fabric8/flinkdeployments.flink.apache.org-v1.yml"


@pytest.fixture(scope="module")
def definition() -> dict[str, Any]:
    [jar] = build_artifact(OPERATOR, ROOT / ".services").glob("*.jar")
    with zipfile.ZipFile(jar) as opened:
        found: dict[str, Any] = yaml.safe_load(opened.read(RESOURCE))
    return found


def manifest() -> dict[str, Any]:
    documents = yaml.safe_load_all((ROOT / "deploy" / "kubernetes" / "flink.yaml").read_text())
    [found] = [document for document in documents if document["kind"] == "FlinkDeployment"]
    return dict(found)


def unknown_fields(value: Any, schema: dict[str, Any], path: str = "") -> Iterator[str]:
    """Fields that no schema names: the API server would drop them without a word."""
    if isinstance(value, dict) and "properties" in schema:
        for name, inner in value.items():
            if name not in schema["properties"]:
                yield f"{path}/{name}"
            else:
                yield from unknown_fields(inner, schema["properties"][name], f"{path}/{name}")
    if isinstance(value, list) and "items" in schema:
        for number, inner in enumerate(value):
            yield from unknown_fields(inner, schema["items"], f"{path}/{number}")


def test_the_manifest_is_of_the_published_form(definition: dict[str, Any]) -> None:
    [version] = [one for one in definition["spec"]["versions"] if one["served"]]
    assert manifest()["apiVersion"] == f"{definition['spec']['group']}/{version['name']}"
    schema = version["schema"]["openAPIV3Schema"]
    jsonschema.Draft7Validator(schema).validate(manifest())
    known = {**schema["properties"], **{name: {} for name in ("apiVersion", "kind", "metadata")}}
    assert list(unknown_fields(manifest(), {"properties": known})) == []


def test_a_field_that_there_is_not_would_be_found(definition: dict[str, Any]) -> None:
    [version] = [one for one in definition["spec"]["versions"] if one["served"]]
    wrong = {"spec": {"taskManager": {"replica": 2}}}
    assert list(unknown_fields(wrong, version["schema"]["openAPIV3Schema"])) == ["/spec/taskManager/replica"]

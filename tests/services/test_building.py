"""Artifacts are built once per version, and a missing tool says what to install."""

import shutil
from importlib.metadata import version
from pathlib import Path

import pytest

from services import building
from services.__main__ import main
from services.building import build_artifact, find_tool, run_tool
from services.registry import SERVICES, find_service
from services.service import Artifact, ServiceError


class Recipe:
    """An artifact whose builds are counted."""

    def __init__(self) -> None:
        self.version = "1"
        self.builds = 0

    def artifact(self) -> Artifact:
        return Artifact("bin/thing", lambda: (self.version,), self._build)

    def _build(self, target: Path) -> None:
        self.builds += 1
        target.write_text(self.version)


def test_an_artifact_is_built_once_per_version(tmp_path: Path) -> None:
    recipe = Recipe()
    first = build_artifact(recipe.artifact(), tmp_path)
    assert build_artifact(recipe.artifact(), tmp_path) == first
    assert recipe.builds == 1
    recipe.version = "2"
    assert build_artifact(recipe.artifact(), tmp_path).read_text() == "2"
    assert recipe.builds == 2


def test_an_artifact_that_was_removed_is_built_again(tmp_path: Path) -> None:
    recipe = Recipe()
    build_artifact(recipe.artifact(), tmp_path).unlink()
    build_artifact(recipe.artifact(), tmp_path)
    assert recipe.builds == 2


def test_a_build_that_failed_is_tried_again(tmp_path: Path) -> None:
    recipe = Recipe()
    target = build_artifact(recipe.artifact(), tmp_path)

    def fail(_target: Path) -> None:
        raise ServiceError("the disk is full")

    with pytest.raises(ServiceError, match="the disk is full"):
        build_artifact(Artifact("bin/thing", lambda: ("2",), fail), tmp_path)
    assert target.exists()
    build_artifact(recipe.artifact(), tmp_path)
    assert recipe.builds == 2


def test_a_missing_tool_names_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(ServiceError, match="apt-get install maven"):
        find_tool("mvn")


def test_a_service_that_is_not_there_is_refused_with_those_that_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["up", "rabbit"]) == 1
    assert "gcs, bigquery, pubsub, kafka, redis, rabbitmq, kinesis, s3, shop, prism, flink" in capsys.readouterr().err


@pytest.mark.parametrize("port", ["kafka=9092", "kafka.broker=x", "rabbit.amqp=1", "kafka.nothing=1"])
def test_a_port_option_that_cannot_be_read_says_its_form(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["up", "kafka", "--port", port]) == 1
    assert "kafka.broker=9092" in capsys.readouterr().err


def test_services_start_after_what_they_need() -> None:
    names = list(SERVICES)
    for name in names:
        assert find_service(name).name == name
        assert all(names.index(need) < names.index(name) for need in SERVICES[name].needs)


def test_prism_has_the_version_of_beam() -> None:
    assert f"v{version('apache-beam')}" in SERVICES["prism"].artifact.pins()


def test_the_output_of_a_tool_is_returned_where_it_is_not_shown(capfd: pytest.CaptureFixture[str]) -> None:
    assert run_tool(["echo", "here"], shown=False) == "here\n"
    assert capfd.readouterr().out == ""
    with pytest.raises(ServiceError, match="`false` failed with status 1"):
        run_tool(["false"])

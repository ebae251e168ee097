"""The daily run: its order, where it stops, and that it says so."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from pipelines.daily import main

FILE = """
tables: duckdb:{folder}/shop.duckdb
inputs: [{folder}/events.ndjson]
events: {folder}/spool
segments: segments
traits: traits
sources: [a.yaml, b.yaml]
destinations: destinations
report: {folder}/report.html
predict: {{horizon: 14 days}}
audit: {{fail_on: critical}}
"""


class Runs:
    """Stands in for the steps: remembers them; `fails`: the status of one."""

    def __init__(self, **fails: int) -> None:
        self.steps: list[str] = []
        self.words: list[Sequence[str]] = []
        self._fails = fails

    def __call__(self, words: Sequence[str]) -> int:
        self.steps.append(words[2].removeprefix("pipelines."))
        self.words.append(words)
        return self._fails.get(self.steps[-1], 0)


@pytest.fixture
def config(tmp_path: Path) -> list[str]:
    file = tmp_path / "daily.yaml"
    file.write_text(FILE.format(folder=tmp_path))
    return ["--config", str(file)]


def test_every_step_runs_in_order(config: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    runs = Runs()
    assert main(config, runs) == 0
    assert runs.steps == ["pull", "pull", "profiles", "predict", "audit", "activate", "report"]
    assert "--horizon '14 days'" in capsys.readouterr().out


def test_it_stops_where_a_step_failed_and_says_so(config: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    runs = Runs(audit=3)
    assert main(config, runs) == 3
    assert runs.steps[-1] == "audit"
    told = capsys.readouterr().err
    assert "Stopped: audit ended with status 3" in told
    assert "--from audit" in told
    rest = Runs()
    assert main([*config, "--from", "audit"], rest) == 0
    assert rest.steps == ["audit", "activate", "report"]


def test_what_was_pulled_and_predicted_is_read_once_it_is_there(config: list[str], tmp_path: Path) -> None:
    before, after = Runs(), Runs()
    assert main([*config, "--only", "profiles"], before) == 0
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool" / "events-1.ndjson").touch()
    assert main([*config, "--only", "profiles"], after) == 0
    assert f"{tmp_path}/spool/*.ndjson" in after.words[0]
    assert f"{tmp_path}/spool/*.ndjson" not in before.words[0]


def test_a_dry_run_runs_nothing(config: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    runs = Runs()
    assert main([*config, "--dry_run"], runs) == 0
    assert runs.steps == []
    assert "python -m pipelines.activate --input" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "arguments", "told"),
    [
        (FILE + "sgments: x\n", [], "did you mean 'segments'?"),
        ("tables: duckdb:x\n", [], "inputs: required"),
        (FILE, ["--from", "adit"], "did you mean 'audit'?"),
        (FILE, ["--only", "profiles,nothing"], "there is no step 'nothing'"),
    ],
)
def test_what_is_wrong_is_told_before_anything_runs(
    text: str, arguments: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, runs = tmp_path / "daily.yaml", Runs()
    file.write_text(text.format(folder=tmp_path))
    assert main(["--config", str(file), *arguments], runs) == 2
    assert told in capsys.readouterr().err
    assert runs.steps == []

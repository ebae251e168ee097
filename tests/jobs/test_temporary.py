"""A job leaves nothing in the folder for temporary files, however it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from pipelines.temporary import own_temporary_folder
from tests.jobs.job import run_command

LONGEST_SECONDS = 60


def test_everything_temporary_is_in_one_folder_that_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    with own_temporary_folder() as folder:
        assert folder.parent == tmp_path
        assert Path(tempfile.mkdtemp()).parent == folder
        child = subprocess.check_output(
            [sys.executable, "-c", "import tempfile; print(tempfile.gettempdir())"], text=True
        )
        assert child.strip() == str(folder)
        with own_temporary_folder():  # it is not its folder that a second job sweeps
            assert folder.is_dir()
    assert list(tmp_path.iterdir()) == []
    assert tempfile.gettempdir() == str(tmp_path)


def test_folders_of_others_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    kept = [tmp_path / "tidemark-job-new", tmp_path / "tidemark-other"]
    for folder in kept:
        folder.mkdir()
    with own_temporary_folder():
        pass
    assert sorted(tmp_path.iterdir()) == sorted(kept), "without a lock nobody knows whose it is"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_what_a_stopped_job_leaves_goes_with_it_or_with_the_next(
    number: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary, segments, events = tmp_path / "tmp", tmp_path / "segments", tmp_path / "e.ndjson"
    temporary.mkdir()
    segments.mkdir()
    (segments / "s.yaml").write_text(json.dumps({"when": "event('A').count() >= 1"}))
    event = {"type": "track", "event": "A", "timestamp": "2026-01-05T10:00:00Z"}
    with events.open("w") as file:
        for place in range(60_000):
            file.write(json.dumps(event | {"messageId": f"m{place}", "userId": f"u{place % 2_000}"}) + "\n")
    places = ["--input", str(events), "--segments", str(segments), "--output", f"duckdb:{tmp_path / 'o.duckdb'}"]
    command = [sys.executable, "-m", "pipelines.profiles", *places]
    environment = os.environ | {"TMPDIR": str(temporary)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as job:
        deadline = time.monotonic() + LONGEST_SECONDS
        while not list(temporary.glob("*/tidemark-progress-*/*")):
            assert job.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        job.send_signal(number)
        assert job.stderr is not None
        said = job.stderr.read().decode()
    if number == signal.SIGTERM:
        assert job.returncode == 1
        assert "Stopped. " in said
        assert list(temporary.iterdir()) == []
        assert not list(tmp_path.glob(".o.duckdb*"))
    events.write_text(json.dumps(event | {"messageId": "m", "userId": "u"}) + "\n")
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", None)
    assert run_command(tmp_path / "o.duckdb", *places).status == 0
    assert list(temporary.iterdir()) == []
    assert not list(tmp_path.glob(".o.duckdb*"))

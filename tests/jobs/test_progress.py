"""What is said while a job runs: by its counters, on a terminal and in a log."""

from __future__ import annotations

import io
import os
import threading
from pathlib import Path

import pytest

from pipelines.words.job_progress import Rhythm, add_up, describe_progress, show_progress
from tests.jobs.job import run_job, write_lines
from tests.jobs.messages import track
from transforms import counting

AT_ONCE = Rhythm(0.001, 0.001)


class Terminal(io.StringIO):
    """Notes what is written; says when it was."""

    def __init__(self, *, isatty: bool) -> None:
        super().__init__()
        self._isatty = isatty
        self.written = threading.Event()

    def isatty(self) -> bool:
        return self._isatty

    def flush(self) -> None:
        self.written.set()


@pytest.mark.parametrize(
    ("counters", "said"),
    [
        ({}, "starting; 3 parts to read"),
        ({"events_read": 1200, "ranges_read": 1}, "reading, part 2 of 3, 1,200 events so far"),
        ({"events_read": 4000, "ranges_read": 3}, "4,000 events read; finding duplicates, and whose each event is"),
        (
            {
                "events_read": 4000,
                "ranges_read": 3,
                "events_accepted": 1800,
                "events_duplicate": 200,
                "profiles_built": 30,
            },
            "building profiles, 30 so far, 50% of the events",
        ),
        (
            {
                "events_read": 4000,
                "ranges_read": 3,
                "events_accepted": 3900,
                "events_failed:not_utf8": 60,
                "events_erased": 40,
            },
            "writing duckdb:shop.duckdb",
        ),
    ],
)
def test_what_the_counters_say(counters: dict[str, int], said: str) -> None:
    assert describe_progress(counters, 3, "duckdb:shop.duckdb") == said


def test_processes_are_added_up_and_half_a_line_waits(tmp_path: Path) -> None:
    (tmp_path / "1").write_text("events_read 10\nranges_read 1\nevents_re")
    (tmp_path / "2").write_text("events_read 5\nevents_failed:not_utf8 2\n")
    assert add_up(tmp_path) == {"events_read": 15, "ranges_read": 1, "events_failed:not_utf8": 2}


def test_a_terminal_gets_one_line_that_changes_and_goes() -> None:
    terminal = Terminal(isatty=True)
    with show_progress(3, "files:out", terminal, AT_ONCE):
        assert terminal.written.wait(60)
    shown = terminal.getvalue()
    assert shown.startswith("\r\x1b[K0 s: starting; 3 parts to read")
    assert shown.endswith("\r\x1b[K")
    assert "\n" not in shown


def test_a_log_gets_lines() -> None:
    log = Terminal(isatty=False)
    with show_progress(1, "files:out", log, AT_ONCE):
        counting.count(counting.READ, 7)
        counting.count(counting.RANGES)
        log.written.clear()
        assert log.written.wait(60)
    assert "\x1b" not in log.getvalue()
    assert "0 s: 7 events read; finding duplicates" in log.getvalue()


def test_nothing_stays_behind(folder: Path) -> None:
    write_lines(folder / "events" / "a.ndjson", [track("m1", "Product Viewed")])
    assert run_job(folder).err == ""
    assert counting.PROGRESS_FOLDER not in os.environ
    assert not [thread for thread in threading.enumerate() if thread.name == "progress"]


@pytest.mark.parametrize("workers", [[], ["--direct_running_mode=multi_processing", "--direct_num_workers=2"]])
def test_every_process_of_a_job_says_how_far_it_is(
    folder: Path, workers: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the end of the job the notes say what its summary says."""
    notes = folder / "notes"
    notes.mkdir()
    monkeypatch.setattr("pipelines.words.job_progress.tempfile.TemporaryDirectory", lambda prefix: _Kept(notes))
    write_lines(
        folder / "events" / "a.ndjson", [b"nonsense", *[track(f"m{number}", "Product Viewed") for number in range(9)]]
    )
    assert run_job(folder, *workers).status == 0
    assert add_up(notes) == {
        counting.READ: 10,
        counting.ACCEPTED: 9,
        counting.FAILED + "malformed_json": 1,
        counting.PROFILES: 1,
        counting.RANGES: 1,
    }


class _Kept:
    """A folder that outlives its `with`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> str:
        return str(self._folder)

    def __exit__(self, *_: object) -> None:
        pass

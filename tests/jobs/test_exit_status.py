"""0 done, 1 the job failed, 2 the arguments or a segment are wrong: what is said, and what is left of the output."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from pipelines.io.files import read_files
from pipelines.io.files.ranges import FileRange, plan_ranges
from pipelines.io.locations import FileInput
from tests.jobs.conftest import VIEWERS
from tests.jobs.job import read_bytes, run_command, run_job, write_lines, write_segment
from tests.jobs.messages import track


@pytest.fixture
def shop(folder: Path) -> Path:
    write_lines(folder / "events" / "a.ndjson", [track("m1", "Product Viewed")])
    return folder


def left_over(folder: Path) -> list[str]:
    """What there is beside the input."""
    return sorted(entry.name for entry in folder.iterdir() if entry.name not in ("events", "segments"))


# --- 2: nothing was started, nothing was written ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--untanned=fail", "--untanned: there is no such option; did you mean --unplanned?"),
        ("--runer=DirectRunner", "--runer: there is no such option; did you mean --runner?"),
        (
            "--as_of=yesterday",
            "--as_of 'yesterday': expected an ISO 8601 date, or date-time with a zone, "
            "for example 2026-06-30T12:00:00Z",
        ),
        ("--stitch_window=a while", "--stitch_window 'a while': expected a duration, for example '30 days'"),
        ("--max_merges=0", "--max_merges 0: expected a number of at least 1"),
        (
            "--output=duckdb",
            "output 'duckdb': expected duckdb:PATH, files:DIR or bigquery:PROJECT.DATASET",
        ),
    ],
)
def test_a_wrong_option_is_told_exactly(shop: Path, option: str, said: str) -> None:
    ran = run_job(shop, option)
    assert (ran.status, ran.out, ran.err) == (2, "", said + "\n")
    assert left_over(shop) == []


def test_everything_that_is_wrong_is_told_at_once(shop: Path) -> None:
    ran = run_job(shop, "--as_of=soon", "--tarits", "traits", events="no such folder/*.ndjson")
    assert ran.status == 2
    assert [text.partition(":")[0].split()[0] for text in ran.err.split("\n\n")] == ["--tarits", "--input", "--as_of"]
    assert left_over(shop) == []


def test_what_is_required_is_asked_for(shop: Path) -> None:
    ran = run_command(shop / "out.duckdb", f"--input={shop / 'events'}", "--segmets", "x", "--output=duckdb:out.duckdb")
    assert ran.status == 2
    assert ran.err.splitlines() == [
        "--segmets: there is no such option; did you mean --segments?",
        "",
        "--segments: required; --help tells all options",
    ]


def test_a_wrong_rule_is_shown_with_a_caret(shop: Path) -> None:
    file = write_segment(shop, "buyers", "event('Order Completed').within(3 fortnights).count() >= 1")
    ran = run_job(shop)
    assert ran.status == 2
    place, line, caret = ran.err.splitlines()[:3]
    assert place.startswith(f"{file}:3:37: "), ran.err
    assert line.endswith("event('Order Completed').within(3 fortnights).count() >= 1")
    assert line[caret.index("^") :].startswith("fortnights")
    assert left_over(shop) == []


def test_errors_of_all_files_are_told_at_once(shop: Path) -> None:
    write_segment(shop, "one", "event('Product Viewed').cuont() >= 1")
    write_segment(shop, "two", "event('Product Viewed').count() >= 'many'")
    ran = run_job(shop)
    assert ran.status == 2
    assert "one.yaml:3:" in ran.err
    assert "two.yaml:3:" in ran.err
    assert "did you mean" in ran.err.lower()


def test_an_output_that_holds_something_else_is_left_alone(shop: Path) -> None:
    (shop / "out.duckdb").write_text("a letter to my mother")
    ran = run_job(shop)
    assert ran.status == 2
    assert "cannot be opened as a DuckDB database" in ran.err
    assert (shop / "out.duckdb").read_text() == "a letter to my mother"


# --- 1: it failed; what was there before still is --------------------------------------------------------------------


@pytest.fixture(scope="module")
def previous_output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a job that ran on one event."""
    folder = tmp_path_factory.mktemp("previous")
    write_segment(folder, "viewers", VIEWERS)
    write_lines(folder / "events" / "a.ndjson", [track("m1", "Product Viewed")])
    ran = run_job(folder)
    assert ran.status == 0
    return ran.database


def disk_full(*_: Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize(
    ("place", "doing"),
    [
        ("transforms.deduplicate.bucket.repeated", "looking for duplicates"),
        ("transforms.profiles.bucket.evaluate", "building profiles"),
        ("pipelines.io.tables.staging.write_parquet", ""),
        ("pipelines.io.duckdb.database_file.replace_file", "writing the tables"),
    ],
)
def test_a_crash_midway_leaves_the_previous_output(
    shop: Path, previous_output: Path, place: str, doing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(previous_output, shop / "out.duckdb")
    before = read_bytes(shop / "out.duckdb")
    assert [row[0] for row in before["events"]] == ["m1"]
    write_lines(shop / "events" / "b.ndjson", [track("m2", "Product Viewed", userId="bob")])
    monkeypatch.setattr(place, disk_full)
    ran = run_job(shop)
    assert (ran.status, ran.out) == (1, "")
    told = " ".join(ran.err.split())
    assert told.startswith(f"The job failed while {doing}"), ran.err
    assert "OSError: [Errno 28] No space left on device." in told
    assert told.endswith(
        f"duckdb:{shop / 'out.duckdb'} is what it was before. --verbose shows where in the code it happened."
    )
    assert "Traceback" not in ran.err
    assert read_bytes(shop / "out.duckdb") == before
    assert left_over(shop) == ["out.duckdb"]


def test_verbose_shows_where(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transforms.profiles.bucket.evaluate", disk_full)
    ran = run_job(shop, "--verbose")
    assert ran.status == 1
    assert "in disk_full" in ran.err


@pytest.fixture
def gone(shop: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that is there when the job is planned, and gone when it is read."""
    file = write_lines(shop / "events" / "b.ndjson", [track("m2", "Product Viewed")])

    def plan_and_remove(locations: Iterable[FileInput]) -> list[FileRange]:
        planned = plan_ranges(locations)
        file.unlink(missing_ok=True)
        return planned

    monkeypatch.setattr(read_files, "plan_ranges", plan_and_remove)
    return file


def test_a_file_that_cannot_be_read_is_named(shop: Path, gone: Path) -> None:
    ran = run_job(shop)
    assert ran.status == 1
    assert f"UnreadableFileError: {gone} cannot be read" in " ".join(ran.err.split())
    assert left_over(shop) == []


def test_a_failure_in_a_worker_process_is_told_in_a_paragraph(shop: Path, gone: Path) -> None:
    ran = run_job(shop, "--direct_running_mode=multi_processing", "--direct_num_workers=2")
    assert ran.status == 1
    told = f"The job failed while reading the input: UnreadableFileError: {gone} cannot be read"
    assert " ".join(ran.err.split()).startswith(told)
    assert len(ran.err.splitlines()) < 10


# --- 0 ---------------------------------------------------------------------------------------------------------------


def test_failed_events_do_not_fail_a_job(shop: Path) -> None:
    write_lines(shop / "events" / "b.ndjson", [b"nonsense"] * 3)
    assert run_job(shop).status == 0


def test_warnings_do_not_fail_a_job(shop: Path) -> None:
    write_segment(shop, "typo", "event('Prodct Viewed').count() >= 1")
    ran = run_job(shop)
    assert ran.status == 0
    assert ran.err.startswith("warning: ")
    assert "Product Viewed" in ran.err


@pytest.mark.parametrize("kind", ["duckdb", "files"])
def test_running_it_again_leaves_the_same_bytes(shop: Path, kind: str) -> None:
    write_lines(shop / "events" / "b.ndjson", [b"nonsense", track("m2", "Product Viewed", userId="bob")])
    output = f"--output={kind}:{shop / 'tables'}"
    found = []
    for _ in range(2):
        assert run_job(shop, output).status == 0
        files = [shop / "tables"] if kind == "duckdb" else sorted((shop / "tables").rglob("*.parquet"))
        found.append(read_bytes(files[0]) if kind == "duckdb" else [(file.name, file.read_bytes()) for file in files])
    assert found[0] == found[1]
    assert left_over(shop) == ["tables"]

"""History taken in before the graph: what is read, what stands in the journal, what ends it."""

import threading
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from pipelines.boot.parts import plan_parts
from pipelines.boot.run import is_worth_it, take_in
from pipelines.io.journal.read_history import begin
from pipelines.local.workers import StoppedError
from pipelines.options.profiles import ProfilesOptions, parse_profiles_options
from pipelines.stream import stream_settings
from transforms import counting
from transforms.state.process import PROCESS


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    PROCESS.close()


def no_time() -> int | None:
    """Nobody can tell how far time has passed."""
    return None


def event(number: int) -> bytes:
    at = f"2026-01-01T00:{number // 60 % 60:02}:{number % 60:02}Z"
    return orjson.dumps(
        {"messageId": f"m{number}", "type": "track", "event": "A", "anonymousId": f"a{number % 5}", "timestamp": at}
    )


@pytest.fixture
def job(tmp_path: Path) -> ProfilesOptions:
    (tmp_path / "segments").mkdir()
    (tmp_path / "segments" / "all.yaml").write_text("when: event('A').count() >= 1\n")
    (tmp_path / "history.ndjson").write_bytes(b"\n".join([*map(event, range(40)), event(3), b"{"]))
    given = ["--input", f"{tmp_path}/history.ndjson", "--input", f"watch:{tmp_path}/in/*.ndjson"]
    return parse_profiles_options(
        [*given, "--segments", f"{tmp_path}/segments", "--output", f"duckdb:{tmp_path}/shop.duckdb"]
    )


def test_all_history_is_taken_in_and_stands_in_the_journal(job: ProfilesOptions, tmp_path: Path) -> None:
    boot = begin(str(tmp_path / "journal"), "first", job.inputs)
    settings = stream_settings(job)
    taken_in = take_in(job, boot, settings, threading.Event(), no_time)
    counters = taken_in.counters
    assert (counters[counting.READ], counters[counting.ACCEPTED], counters[counting.DUPLICATE]) == (42, 40, 1)
    assert counters[counting.FAILED + "malformed_json"] == counters[counting.MESSAGES_READ + "files-1"] - 41 == 1
    buckets = [str(number) for number in range(settings.buckets)]
    ids = [key for bucket in buckets for key in taken_in.shelves.of_shelf("MessageIdCell", bucket)]
    assert len(ids) == len(set(ids)) == 40

    again = begin(str(tmp_path / "journal"), "second", job.inputs)
    taken_in = take_in(job, again, settings, threading.Event(), no_time)
    assert taken_in.counters[counting.READ] == 41, "copies have the same bytes, and the file holds nothing new"
    assert taken_in.counters[counting.MESSAGES_READ + "journal"] == 41


def test_a_boot_ends_when_the_job_is_stopped(job: ProfilesOptions, tmp_path: Path) -> None:
    stopped = threading.Event()
    stopped.set()
    with pytest.raises(StoppedError):
        take_in(job, begin(str(tmp_path / "journal"), "first", job.inputs), stream_settings(job), stopped, no_time)


def test_a_short_history_is_left_to_the_graph(job: ProfilesOptions, tmp_path: Path) -> None:
    boot = begin(str(tmp_path / "journal"), "first", job.inputs)
    assert not is_worth_it(job, boot)
    (tmp_path / "history.ndjson").write_bytes(b"\n" * (17 << 20))
    assert not is_worth_it(job, boot), "its size is that of the start"
    assert [part.name for part in plan_parts(boot, job.inputs)] == ["files-1"]

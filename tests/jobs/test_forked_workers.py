"""Worker processes of a local job: forked from one server, each with the job's environment, gone when the job is."""

import os
import signal
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam
import psutil
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.testing.util import assert_that

from pipelines.forked.balance import shares
from pipelines.forked.choice import takes_processes
from pipelines.forked.runner import ForkingRunner, LostWorkerError, ended_by_lost_workers
from pipelines.forked.start import fork_server, looks_large
from pipelines.loopback import bind_to_loopback
from pipelines.options.profiles import parse_profiles_options
from pipelines.words.failure import quiet_beam

OPTIONS = ["--direct_running_mode=multi_processing", "--direct_num_workers=2"]


def _where(_: int) -> Iterator[tuple[int, int, str | None, str]]:
    yield os.getpid(), os.getppid(), os.environ.get("SAID_BY_THE_JOB"), tempfile.gettempdir()


def _dies(_: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _run(worker_command: str, work: beam.PTransform, check: object = None) -> None:
    bind_to_loopback()
    with beam.Pipeline(ForkingRunner(worker_command), options=PipelineOptions(OPTIONS)) as pipeline:
        found = pipeline | beam.Create(range(64)) | beam.Reshuffle() | work
        if check is not None:
            assert_that(found, check)


def test_they_are_forked_from_one_process_and_know_what_the_job_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    me = os.getpid()

    def check(found: list[tuple[int, int, str | None, str]]) -> None:
        processes, parents, said, folders = map(set, zip(*found, strict=True))
        assert me not in processes | parents
        assert len(parents) == 1
        assert (said, folders) == ({"yes"}, {str(tmp_path)})

    before = set(psutil.Process().children())
    with fork_server() as command:
        monkeypatch.setenv("SAID_BY_THE_JOB", "yes")  # after the server was started
        _run(command, beam.FlatMap(_where), check)
    assert set(psutil.Process().children()) <= before


# The other worker ends with the server, and the thread of Beam's that waits for it may say so after the test.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize(
    "interrupt", [signal.default_int_handler, signal.SIG_IGN], ids=["in front", "in the background"]
)
def test_one_that_is_killed_fails_the_job(interrupt: Any, request: pytest.FixtureRequest) -> None:
    before = signal.signal(signal.SIGINT, interrupt)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))
    with fork_server() as command, quiet_beam(verbose=False), pytest.raises(LostWorkerError), ended_by_lost_workers():
        _run(command, beam.Map(_dies))


def test_groups_are_shared_out_by_their_size() -> None:
    sizes = {b"half": 100, **{str(number).encode(): 10 for number in range(10)}}
    found = shares(sizes, 2)
    assert [key for key, place in found.items() if place == found[b"half"]] == [b"half"]

    def check(of_groups: list[tuple[int, int, int]]) -> None:
        assert sorted((key, size) for key, size, _ in of_groups) == [(0, 1_000_000), *((key, 2) for key in range(1, 9))]
        large = next(process for key, _, process in of_groups if key == 0)
        assert [key for key, _, process in of_groups if process == large] == [0]

    with fork_server() as command:
        _run(command, beam.ParDo(_Group()) | beam.GroupByKey() | beam.MapTuple(_measure), check)


class _Group(beam.DoFn):
    def process(self, number: int) -> Iterator[tuple[int, bytes]]:
        if number < 9:
            yield number, b"x" * (1_000_000 if number == 0 else 2)


def _measure(key: int, values: Iterable[bytes]) -> tuple[int, int, int]:
    return key, sum(map(len, values)), os.getpid()


@pytest.mark.parametrize(
    ("megabytes", "more", "expected"), [(1, [], False), (65, [], True), (65, ["--runner=X"], False)]
)
def test_only_large_inputs_of_the_local_runner_take_them(
    megabytes: int, more: list[str], expected: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    events = tmp_path / "events.ndjson"
    with events.open("wb") as file:
        file.write(b'{"type":"page"}\n')
        file.truncate(megabytes * 1024 * 1024)
    (tmp_path / "segments").mkdir()
    told = [
        "--input",
        str(events),
        "--output",
        f"duckdb:{tmp_path / 'o.duckdb'}",
        "--segments",
        str(tmp_path / "segments"),
    ]
    assert takes_processes(parse_profiles_options([*told, *more])) is expected
    assert looks_large([*told, *more]) is expected
    assert looks_large([f"--input={tmp_path}/*.ndjson", *more]) is expected
    assert not looks_large(["--input", str(tmp_path / "nowhere"), "--input"])

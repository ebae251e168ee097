"""Log lines as JSON: one object a line, whatever says it, and nothing of what was sent."""

import json
import logging
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import Any

import pytest
from apache_beam.portability.api import beam_fn_api_pb2
from apache_beam.runners.portability.fn_api_runner.worker_handlers import BasicLoggingService
from hypothesis import given
from hypothesis import strategies as st

from pipelines.words.log import JsonLines, JsonStderr, log_format_of, log_lines, say_error
from schemas.instants import parse_instant_us

ROOT = Path(__file__).parents[2]
FIELDS = {"severity", "timestamp", "message", "logger"}


class Lines:
    """A stream that keeps what it is given, as objects."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> None:
        self.text += text

    def flush(self) -> None:
        """Nothing waits."""

    def objects(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]


@contextmanager
def logged() -> Iterator[Lines]:
    found = Lines()
    with redirect_stderr(found), log_lines("json"):  # type: ignore[type-var]
        yield found


def run(*arguments: str) -> tuple[int, list[dict[str, Any]]]:
    """Exit status, and stderr as objects: any line that is none fails."""
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False, cwd=ROOT)
    return done.returncode, [json.loads(line) for line in done.stderr.splitlines()]


def test_a_record_has_what_collectors_look_for() -> None:
    with logged() as lines:
        logging.getLogger("pipelines.io.kafka").warning("%s: no answer", "kafka:x")
        logging.getLogger("pipelines.io.kafka").info("quiet")
    [told] = lines.objects()
    at = told.pop("timestamp")
    assert told == {"severity": "WARNING", "message": "kafka:x: no answer", "logger": "pipelines.io.kafka"}
    assert at.endswith("Z")
    assert parse_instant_us(at) > 0


def test_what_an_exception_quotes_is_left_out() -> None:
    with logged() as lines:
        try:
            raise ValueError("ada@example.com")
        except ValueError:
            logging.getLogger("api").exception("looking for changes")
    [told] = lines.objects()
    assert "ada" not in lines.text
    assert told["exception"] == "ValueError"
    assert Path(told["raised_at"][0].partition(":")[0]).name == "test_log.py"


def test_what_is_printed_is_an_object_for_each_time_that_a_line_ends() -> None:
    with logged() as lines:
        print("warning: more than 20 segments", file=sys.stderr)
        print("The job failed: it is over.", file=sys.stderr)
        print("line one\nline two", file=sys.stderr)
        print(file=sys.stderr)
        say_error("segments/a.yaml:1:1: unknown unit\n  did you mean days?")
    told = [(one["severity"], one["message"]) for one in lines.objects()]
    assert told == [
        ("WARNING", "warning: more than 20 segments"),
        ("ERROR", "The job failed: it is over."),
        ("INFO", "line one\nline two"),
        ("ERROR", "segments/a.yaml:1:1: unknown unit\n  did you mean days?"),
    ]


@given(st.lists(st.text()))
def test_every_line_is_an_object_whatever_is_printed(texts: list[str]) -> None:
    found = Lines()
    for text in texts:
        print(text, file=JsonStderr(found))  # type: ignore[arg-type]
    for line in found.text.splitlines():
        assert set(json.loads(line)) == FIELDS


@pytest.mark.parametrize("printed", ["\x1b[K", "\u2028", "é", "\ud800"])
def test_characters_of_all_kinds_stay_in_their_line(printed: str) -> None:
    record = logging.LogRecord("x", logging.WARNING, __file__, 1, printed, None, None)
    assert json.loads(JsonLines().format(record))["message"] == printed


def test_text_is_as_it_was(capsys: pytest.CaptureFixture[str]) -> None:
    with log_lines("text"):
        say_error("segments: wrong")
    assert capsys.readouterr().err == "segments: wrong\n"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--log_format", "json"], "json"),
        (["--log_format=json", "--input", "--log_format"], "text"),
        (["--log_format"], "text"),
        ([], "text"),
        (["--log_formats", "json"], "text"),
    ],
)
def test_the_format_is_known_before_anything_else(arguments: list[str], expected: str) -> None:
    assert log_format_of(arguments) == expected


def test_what_a_worker_process_logs_comes_as_its_own_line() -> None:
    entry = beam_fn_api_pb2.LogEntry(message="no answer", log_location="/app/pipelines/io/kafka/client.py:9")
    entry.severity = beam_fn_api_pb2.LogEntry.Severity.WARN
    entry.timestamp.seconds = 1_700_000_000
    batch = beam_fn_api_pb2.LogEntry.List(log_entries=[entry])
    with logged() as lines:
        list(BasicLoggingService().Logging([batch]))
    assert lines.objects() == [
        {
            "severity": "WARNING",
            "timestamp": "2023-11-14T22:13:20.000000Z",
            "message": "no answer",
            "logger": "worker:client.py:9",
        }
    ]


@pytest.mark.parametrize("command", ["pipelines.profiles", "api", "pipelines.activate"])
def test_wrong_arguments_are_told_in_json(command: str, tmp_path: Path) -> None:
    options = {
        "pipelines.profiles": [f"--input={tmp_path}", f"--segments={tmp_path}/no", f"--output=duckdb:{tmp_path}/o"],
        "api": [f"--events=spool:{tmp_path}/s", f"--keys={tmp_path}/no.yaml"],
        "pipelines.activate": [f"--input=duckdb:{tmp_path}/no", f"--destinations={tmp_path}"],
    }[command]
    status, told = run("-m", command, *options, "--log_format=json")
    assert status == 2
    assert [one["severity"] for one in told] == ["ERROR"]
    assert "no" in told[0]["message"]


def test_while_beams_own_output_is_hidden_ours_is_not() -> None:
    """Worker processes write to a descriptor that nobody reads; what our code logs meanwhile goes to the real one."""
    status, told = run(
        "-c",
        textwrap.dedent("""
        import logging, os, sys, warnings
        from pipelines.words.failure import end_quietly, quiet_beam
        from pipelines.words.log import log_lines
        with log_lines("json"):
            shown = sys.stderr
            with quiet_beam(verbose=False):
                os.write(2, b"a worker's traceback")
                logging.getLogger("apache_beam.x").error("of Beam")
                logging.getLogger("pipelines.io").warning("ours")
                print("3 s: reading", file=sys.stderr)
            warnings.warn("old")
            end_quietly()
            print("Stopped.", file=shown)
        """),
    )
    assert status == 0
    said = [(one["severity"], one["message"]) for one in told]
    assert [one for one in said if "old" not in one[1]] == [
        ("WARNING", "ours"),
        ("INFO", "3 s: reading"),
        ("INFO", "Stopped."),
    ]
    assert len(said) == 4


def test_an_end_that_nobody_caught_is_lines_of_json_too() -> None:
    script = 'from pipelines.words.log import log_lines\nwith log_lines("json"):\n    raise RuntimeError("over")'
    status, told = run("-c", script)
    assert status == 1
    assert all(set(one) == FIELDS for one in told)

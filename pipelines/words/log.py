"""How log lines look: for people, or as JSON, one object a line, for a collector of logs.

With `--log_format json` everything that is said on stderr is an object: `severity`, `timestamp`, `message` and
`logger`, as Cloud Logging and others take them. What an exception says is left out, since it may quote what was sent:
its type and where in the code it was raised are told instead.
"""

from __future__ import annotations

import argparse
import io
import json
import logging
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any, Final, TextIO

FORMATS: Final = ("text", "json")
TEXT: Final = "%(levelname)s %(message)s"
_SAID: Final = "tidemark"
"""The logger of what a command says to people rather than logs."""
_SEVERITIES: Final = (("warning: ", logging.WARNING), ("The job failed", logging.ERROR))
_FRAMES: Final = 8


def add_log_argument(parser: argparse.ArgumentParser) -> None:
    """What everything that runs for long takes."""
    parser.add_argument(
        "--log_format",
        choices=FORMATS,
        default="text",
        help="what is said on stderr: text for people, or json, one object a line with severity, timestamp, message "
        "and logger (docs/metrics.md; default: %(default)s)",
    )


def log_format_of(arguments: Sequence[str]) -> str:
    """The format that a command line asks for, before anything else of it is looked at: what is wrong is said so, too.

    >>> log_format_of(["--input", "x", "--log_format=json"]), log_format_of([])
    ('json', 'text')
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--log_format", default="text")
    with suppress(argparse.ArgumentError):
        return str(parser.parse_known_args(list(arguments))[0].log_format)
    return "text"


@contextmanager
def log_lines(log_format: str, text: str = TEXT) -> Iterator[None]:
    """Warnings and worse, and what is said on stderr, come in this format inside the `with`."""
    undo = begin_logging(log_format, text)
    yield
    # Not where it ends by an exception: the process ends with it, and what Python says then shall be an object, too.
    undo()


def begin_logging(log_format: str, text: str = TEXT) -> Callable[[], None]:
    """The same from now on, until what is given back is called."""
    if log_format != "json":
        logging.basicConfig(format=text, level=logging.WARNING)
        return lambda: None
    before, root = sys.stderr, logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = _own_stream()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    root.handlers, sys.stderr = [handler], JsonStderr(stream)
    root.setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)

    def undo() -> None:
        logging.captureWarnings(capture=False)
        root.handlers, sys.stderr = handlers, before
        root.setLevel(level)

    return undo


class JsonLines(logging.Formatter):
    """A record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        told = _of_worker(record) or {
            "severity": record.levelname,
            "timestamp": _instant(record.created),
            "message": record.getMessage(),
            "logger": record.name,
        }
        if record.exc_info and record.exc_info[0] is not None:
            told["exception"] = record.exc_info[0].__name__
            told["raised_at"] = [
                f"{frame.filename}:{frame.lineno} {frame.name}"
                for frame in reversed(traceback.extract_tb(record.exc_info[2])[-_FRAMES:])
            ]
        return json.dumps(told)  # ASCII: no character of a message ends a line


class JsonStderr(io.TextIOBase):
    """What is printed, as lines of JSON: each time that a line ends, all that was printed since the last one."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        self._begun = ""

    def write(self, text: str) -> int:
        """Takes text; once it ends a line, it is an object."""
        self._begun += text
        if self._begun.endswith("\n"):
            said, self._begun = self._begun.strip("\n"), ""
            if said:
                self._stream.write(f"{_said(said)}\n")
                self._stream.flush()
        return len(text)

    def writable(self) -> bool:
        """It is there to be written to."""
        return True

    def isatty(self) -> bool:
        """Whatever it goes to: nobody rewrites a line of JSON."""
        return False


def say_error(text: object) -> None:
    """Says on stderr what was wrong; in JSON it is an error."""
    print(_said(str(text), logging.ERROR) if _is_json() else text, file=_plain_stderr())


def _is_json() -> bool:
    return isinstance(sys.stderr, JsonStderr)


def _plain_stderr() -> TextIO:
    return sys.stderr._stream if isinstance(sys.stderr, JsonStderr) else sys.stderr


def _said(text: str, level: int | None = None) -> str:
    if level is None:
        level = next((found for start, found in _SEVERITIES if text.startswith(start)), logging.INFO)
    severity, now = logging.getLevelName(level), datetime.now(UTC).timestamp()
    told = {"severity": severity, "timestamp": _instant(now), "message": text, "logger": _SAID}
    return json.dumps(told)


def _instant(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _own_stream() -> TextIO:
    """Stderr, by a descriptor of our own: while a job runs, that of the process may lead elsewhere (failure.py)."""
    if sys.stderr is not sys.__stderr__:
        return sys.stderr
    return os.fdopen(os.dup(2), "w", buffering=1, encoding="utf-8", errors="backslashreplace")


def _of_worker(record: logging.LogRecord) -> dict[str, Any] | None:
    """What a worker process of a local job has logged: Beam hands it on as the text of a message."""
    if record.funcName != "Logging" or not record.pathname.endswith("worker_handlers.py"):
        return None
    from apache_beam.portability.api import beam_fn_api_pb2
    from google.protobuf import text_format

    entry = beam_fn_api_pb2.LogEntry()
    try:
        text_format.Parse(record.getMessage(), entry)
    except text_format.ParseError:
        return None
    return {
        "severity": record.levelname,
        "timestamp": _instant(entry.timestamp.seconds + entry.timestamp.nanos / 1e9),
        "message": entry.message,
        "logger": f"worker:{entry.log_location.rsplit('/', 1)[-1]}",
    }

"""Reads `--input`: what a location is, whether it ends, and what is wrong with it.

`parse_input` touches nothing outside. `parse_inputs` looks at the file system, once, so that a job with nothing to read
is refused before it starts, and everything that is told of its files later is told of the same files.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import ClassVar
from urllib.parse import parse_qsl

from pipelines.io.files.beam_files import file_systems, is_local
from pipelines.io.files.listing import (
    EXTENSIONS,
    EXTENSIONS_TEXT,
    InputFile,
    has_known_extension,
    has_wildcard,
    is_folder,
    is_local_file,
    list_files,
)
from pipelines.io.kinesis import address as kinesis
from pipelines.io.kinesis.address import KinesisInput
from pipelines.io.rabbitmq import address as rabbitmq
from pipelines.io.rabbitmq.address import RabbitMQInput
from schemas.errors import InputError, did_you_mean
from schemas.instants import parse_date_or_instant_us

KINDS = ("watch", "pubsub", "kafka", "amqp", "amqps", "kinesis", "bigquery", "duckdb")
_ANY_KIND = "file pattern, folder, or one of " + " ".join(f"{kind}:" for kind in KINDS)
_FORMS = {
    "watch": "watch:PATTERN, for example watch:incoming/*.ndjson",
    "pubsub": "pubsub:projects/PROJECT/subscriptions/SUBSCRIPTION",
    "kafka": "kafka:HOST:PORT[,HOST:PORT...]/TOPIC[?group=NAME][&from=first][&until=now]",
    "bigquery": "bigquery:PROJECT.DATASET.events[?from=INSTANT][&to=INSTANT]",
    "duckdb": "duckdb:PATH of a database that holds an events table",
    "amqp": rabbitmq.FORM,
    "amqps": rabbitmq.FORM,
    "kinesis": kinesis.FORM,
}


@dataclass(frozen=True, slots=True)
class FileInput:
    """Files that exist now: a pattern or a folder on any file system that Beam knows.

    `files` are those that were there when the job was checked; none before that.
    """

    text: str
    pattern: str
    files: tuple[InputFile, ...] = field(default=(), repr=False)
    bounded: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class WatchInput:
    """Files that exist or will appear."""

    text: str
    pattern: str
    bounded: ClassVar[bool] = False


@dataclass(frozen=True, slots=True)
class PubSubInput:
    """A Pub/Sub subscription."""

    text: str
    project: str
    subscription: str
    bounded: ClassVar[bool] = False

    @property
    def path(self) -> str:
        """The subscription's full resource name."""
        return f"projects/{self.project}/subscriptions/{self.subscription}"


@dataclass(frozen=True, slots=True)
class KafkaInput:
    """A Kafka topic. `group` is None where the location names none.

    `until_now` ends at the offsets found at start. `from_first` begins with the first record, whatever was committed.
    """

    text: str
    brokers: str
    topic: str
    group: str | None = None
    until_now: bool = False
    from_first: bool = False

    @property
    def bounded(self) -> bool:
        return self.until_now


@dataclass(frozen=True, slots=True)
class BigQueryInput:
    """An events table in BigQuery, event times `start_us` <= t < `stop_us` (microseconds UTC; None: no limit)."""

    text: str
    project: str
    dataset: str
    start_us: int | None = None
    stop_us: int | None = None
    bounded: ClassVar[bool] = True

    @property
    def table(self) -> str:
        return f"{self.project}.{self.dataset}.events"


@dataclass(frozen=True, slots=True)
class DuckDBInput:
    """The events table of a DuckDB database, such as an earlier job's output."""

    text: str
    path: str
    bounded: ClassVar[bool] = True


LiveInput = WatchInput | PubSubInput | KafkaInput | RabbitMQInput | KinesisInput
InputLocation = FileInput | LiveInput | BigQueryInput | DuckDBInput


def parse_inputs(texts: list[str]) -> tuple[InputLocation, ...]:
    """Parses every `--input` of a job and checks those that can be checked from here.

    Raises:
        InputError: with one line per location that is wrong, all of them at once.
    """
    locations, errors = [], []
    for text in texts:
        try:
            locations.append(check_input(parse_input(text)))
        except InputError as error:
            errors.append(str(error))
    if not texts:
        errors.append(
            "no --input given: expected at least one file pattern, folder, " + ", ".join(f"{k}:" for k in KINDS)
        )
    if errors:
        raise InputError("\n".join(errors))
    return tuple(locations)


def parse_input(text: str) -> InputLocation:
    """Parses one location.

    Raises:
        InputError: when the text is no location; quotes it and says what was expected.

    >>> parse_input("kafka:localhost:9092/events").topic
    'events'
    """
    kind, separator, rest = text.partition(":")
    if separator and kind in _PARSERS:
        return _PARSERS[kind](text, rest)
    looks_like_a_kind = separator and re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]+", kind) and not rest.startswith("//")
    if looks_like_a_kind and not Path(text).exists():
        raise _error(text, f"{kind}: is no kind of input", _ANY_KIND, kind, KINDS)
    return FileInput(text, _checked_pattern(text, text))


def check_input(location: InputLocation) -> InputLocation:
    """The location, with the files that it holds now.

    Raises:
        InputError: a pattern that matches no file, a database that does not exist.
    """
    if isinstance(location, FileInput):
        return replace(location, files=find_files(location))
    if isinstance(location, DuckDBInput) and not Path(location.path).is_file():
        raise InputError(f"--input {location.text}: there is no file {location.path!r}")
    return location


def find_files(location: FileInput | WatchInput) -> tuple[InputFile, ...]:
    """The files that a location holds now (listing.py).

    Raises:
        InputError: nothing matches, or what a pattern matches holds nothing that can be read.
    """
    files = list_files(location.pattern)
    if not files:
        what = "holds no file with a known extension" if is_folder(location.pattern) else "matches no file"
        raise InputError(f"--input {location.text}: {location.pattern!r} {what} (expected {EXTENSIONS_TEXT})")
    return files


def _checked_pattern(text: str, pattern: str) -> str:
    """The pattern, once its file system and its extension are known to be readable."""
    if not pattern.strip():
        raise _error(text, "no file pattern", "a file pattern or a folder")
    if not is_local(pattern):
        _check_file_system(text, pattern)
    if is_folder(pattern) or has_known_extension(pattern) or pattern.endswith(".gz") or is_local_file(pattern):
        return pattern
    extension = PurePosixPath(pattern).suffix
    if extension and not has_wildcard(extension):
        raise _error(text, f"unknown extension {extension!r}", EXTENSIONS_TEXT, extension, EXTENSIONS)
    return pattern


def _check_file_system(text: str, pattern: str) -> None:
    try:
        file_systems().get_filesystem(pattern)
    except ValueError as error:
        scheme = pattern.partition("://")[0]
        shown = re.sub(r"//[^/@]*@", "//", text)  # it may be an address with a password
        hint = did_you_mean(scheme, KINDS)
        raise InputError(f"--input {shown}: no file system for {scheme}:// is installed{hint}") from error


def _parse_watch(text: str, rest: str) -> InputLocation:
    return WatchInput(text, _checked_pattern(text, rest))


def _parse_pubsub(text: str, rest: str) -> InputLocation:
    match = re.fullmatch(r"projects/([^/]+)/subscriptions/([^/]+)", rest)
    if not match:
        raise _malformed("pubsub", text)
    return PubSubInput(text, *match.groups())


def _parse_kafka(text: str, rest: str) -> InputLocation:
    path, options = _split_options(text, rest, ("from", "group", "until"))
    brokers, _, topic = path.partition("/")
    for broker in brokers.split(","):
        if not re.fullmatch(r"(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9._-]+):\d{1,5}", broker):
            raise _error(text, f"{broker!r} is no broker", _FORMS["kafka"])
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,249}", topic):
        raise _error(text, f"{topic!r} is no topic name", _FORMS["kafka"])
    for name, only in (("until", "now"), ("from", "first")):
        if options.get(name, only) != only:
            raise _error(text, f"{name}={options[name]}", f"{name}={only}, or nothing")
    return KafkaInput(text, brokers, topic, options.get("group"), "until" in options, "from" in options)


def _parse_rabbitmq(text: str, _rest: str) -> InputLocation:
    try:
        address = rabbitmq.parse_address(text)
    except ValueError as error:
        raise _error(text.partition("//")[0] + "//...", str(error), rabbitmq.FORM) from None
    return RabbitMQInput(str(address), address)


def _parse_kinesis(text: str, rest: str) -> InputLocation:
    path, options = _split_options(text, rest, ("endpoint",))
    try:
        return KinesisInput(text, kinesis.make_address(path, options.get("endpoint", "")))
    except ValueError as error:
        raise _error(text, str(error), kinesis.FORM) from None


def _parse_bigquery(text: str, rest: str) -> InputLocation:
    table, options = _split_options(text, rest, ("from", "to"))
    match = re.fullmatch(r"([a-z0-9.:-]+)\.([A-Za-z0-9_]+)\.(\w+)", table)
    if not match:
        raise _malformed("bigquery", text)
    if match[3] != "events":
        raise _error(text, f"table {match[3]!r}", "the table `events`: " + _FORMS["bigquery"], match[3], ("events",))
    start = _instant(text, "from", options["from"]) if "from" in options else None
    stop = _instant(text, "to", options["to"]) if "to" in options else None
    if start is not None and stop is not None and start >= stop:
        raise _error(text, "nothing lies between from and to", "from before to")
    return BigQueryInput(text, match[1], match[2], start, stop)


def _parse_duckdb(text: str, rest: str) -> InputLocation:
    if not rest:
        raise _malformed("duckdb", text)
    return DuckDBInput(text, rest)


_PARSERS = {
    "watch": _parse_watch,
    "pubsub": _parse_pubsub,
    "kafka": _parse_kafka,
    "amqp": _parse_rabbitmq,
    "amqps": _parse_rabbitmq,
    "kinesis": _parse_kinesis,
    "bigquery": _parse_bigquery,
    "duckdb": _parse_duckdb,
}


def _split_options(text: str, rest: str, known: tuple[str, ...]) -> tuple[str, dict[str, str]]:
    path, _, query = rest.partition("?")
    options: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in known:
            raise _error(text, f"unknown option {name!r}", "one of " + ", ".join(known), name, known)
        if name in options or not value:
            raise _error(
                text, f"option {name!r} is {'given twice' if name in options else 'empty'}", "one value", "", ()
            )
        options[name] = value
    return path, options


def _instant(text: str, name: str, value: str) -> int:
    """Microseconds since the epoch. A date alone is its first instant; without a zone it is UTC."""
    # In a query string a plus sign reads as a space.
    written = value.replace(" ", "+") if "T" in value else value
    try:
        return parse_date_or_instant_us(written)
    except ValueError as error:
        raise _error(text, f"{name}={value}", "an ISO 8601 instant such as 2026-01-31T00:00:00Z") from error


def _malformed(kind: str, text: str) -> InputError:
    return _error(text, "not understood", _FORMS[kind])


def _error(text: str, what: str, expected: str, given: str = "", choices: Iterable[str] = ()) -> InputError:
    return InputError(f"--input {text}: {what}; expected {expected}" + did_you_mean(given, choices))

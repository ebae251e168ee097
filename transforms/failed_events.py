"""Failures as rows of `failed_events`."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import orjson

from schemas.block import TableBlock
from schemas.event import Failure
from schemas.tables import FAILED_EVENTS
from transforms import counting


def pipeline_version() -> str:
    """The version of Tidemark that runs."""
    try:
        return version("tidemark")
    except PackageNotFoundError:  # run from a checkout that was not installed
        return "0+unknown"


_VERSION = pipeline_version()


def failure_id(reason: str, raw: bytes) -> str:
    """The same for the same reason and bytes, wherever they were read."""
    return hashlib.sha256(reason.encode() + b"\0" + raw).hexdigest()[:32]


def count_failures(failures: Iterable[Failure]) -> None:
    """Counts failures, by reason: where they leave a DoFn, once."""
    for reason, failed in Counter(failure.reason for failure in failures).items():
        counting.count(counting.FAILED + reason, failed)


def failure_row(failure: Failure) -> tuple[Any, ...]:
    """The row of a failure; its first column is its key."""
    return (
        failure_id(failure.reason, failure.raw),
        failure.reason,
        list(failure.errors),
        failure.stage,
        failure.message_id,
        failure.raw,
        orjson.dumps(failure.attributes, option=orjson.OPT_SORT_KEYS),
        failure.source,
        failure.received_at,
        _VERSION,
    )


def failed_events_block(failures: Iterable[Failure]) -> TableBlock:
    """The failures, of which there are some, as one block of `failed_events`."""
    return TableBlock(FAILED_EVENTS.name, 0, tuple(zip(*map(failure_row, failures), strict=True)))


_PLACES = {name: place for place, name in enumerate(FAILED_EVENTS.column_names())}
REASON, MESSAGE_ID, RAW = _PLACES["reason"], _PLACES["message_id"], _PLACES["raw"]
"""Where a row of `failed_events` has them."""
_EMPTY: dict[int, Any] = {_PLACES["errors"]: [], RAW: b"", _PLACES["attributes"]: b"{}"}


def emptied(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """The row of a failure whose record names somebody who is erased: without bytes, errors and attributes."""
    return tuple(_EMPTY.get(place, value) for place, value in enumerate(row))


def is_emptied(row: tuple[Any, ...]) -> bool:
    """Whether the row of a failure is what is left of one that named somebody."""
    return all(row[place] == value for place, value in _EMPTY.items())


def failure_of_row(row: tuple[Any, ...]) -> Failure:
    """The failure of which this is the row."""
    _, reason, errors, stage, message_id, raw, attributes, source, received_at, _ = row
    return Failure(reason, tuple(errors), stage, message_id, raw, orjson.loads(attributes), source, received_at)

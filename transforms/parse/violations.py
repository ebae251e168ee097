"""What is wrong with a record, in words; and two ways to take it all the same.

Numbers may stand for instants (`--epoch`), properties may be left out (`--violations drop`). Comes after the fast
checks of events.py have said no, so it may take its time.
"""

from __future__ import annotations

from typing import Any, Final, Literal, NamedTuple, TypeGuard

import orjson

from schemas import failure_reasons as reasons
from schemas.instants import EARLIEST_US, LATEST_US, SECOND_US, instant_text, parse_instant_us
from schemas.tracking_plan import MessageValidator

Record = dict[str, Any]
Refusal = tuple[str, tuple[str, ...]]  # reason, errors
Epoch = Literal["seconds", "milliseconds"]

EPOCH_US: Final[dict[Epoch, int]] = {"seconds": SECOND_US, "milliseconds": 1_000}
UNREADABLE: Final = "expected an ISO 8601 date-time with a zone, in the years 1 to 9999"
_BARE_NUMBER: Final = f"{UNREADABLE}, not a number (--epoch seconds or --epoch milliseconds reads numbers)"
_INSTANTS: Final = ("timestamp", "receivedAt", "sentAt", "originalTimestamp")
# What says that the process shall end, or cannot go on: no record's fault.
_NOT_OF_A_RECORD: Final = (KeyboardInterrupt, SystemExit, GeneratorExit, MemoryError)


def refusal_of(error: BaseException) -> Refusal:
    """What a library raised on one record, as that record's failure.

    For a `try` that holds one call of a library with a record's data, and nothing of ours.

    Raises:
        BaseException: the error itself, where it is about the process.
    """
    if isinstance(error, _NOT_OF_A_RECORD):
        raise error
    if isinstance(error, RecursionError | orjson.JSONEncodeError) or "ecursion" in str(error):
        return reasons.MALFORMED_JSON, (": nested too deeply",)
    return reasons.SCHEMA_VIOLATION, (f": cannot be checked ({type(error).__name__})",)


def schema_violation(validator: MessageValidator, record: Record, epoch: Epoch | None) -> Refusal:
    """Everything that is wrong with the envelope, its instants and the properties."""
    try:
        errors = set(validator.errors(record))
    except BaseException as error:  # noqa: BLE001 - a panic of the validator is no Exception
        return refusal_of(error)
    deciding = _INSTANTS if _needs_senders_clock(record) else _INSTANTS[:2]
    for field in deciding:
        value = record.get(field)
        if _is_number(value) and epoch is None:
            errors = {error for error in errors if not error.startswith(f"/{field}:")} | {f"/{field}: {_BARE_NUMBER}"}
        elif value is not None and not _is_readable(value):
            errors = {error for error in errors if not error.startswith(f"/{field}:")} | {f"/{field}: {UNREADABLE}"}
    return reasons.SCHEMA_VIOLATION, tuple(sorted(errors))


def with_text_instants(record: Record, epoch: Epoch) -> Record:
    """The record with numbers since the epoch as the instants that they stand for."""
    for field in _INSTANTS:
        value = record.get(field)
        if _is_number(value):
            instant_us = value * EPOCH_US[epoch]
            if EARLIEST_US <= instant_us <= LATEST_US:
                record = {**record, field: instant_text(round(instant_us))}
    return record


class Repaired(NamedTuple):
    """A record without the properties that break its schema, and their paths (`products.$.price`), one for each."""

    record: Record
    dropped: list[str]


def without_wrong_properties(validator: MessageValidator, record: Record) -> Repaired | None:
    """Leaves out of `properties` what breaks the schema; None where something else is wrong, or nothing."""
    try:
        paths = validator.wrong_properties(record)
        properties = orjson.loads(orjson.dumps(record.get("properties")))
    except BaseException as error:  # noqa: BLE001 - as above
        refusal_of(error)
        return None
    if not paths:
        return None
    # The later elements of an array first, so that the places of the others stay; what is inside before what holds it.
    for path in sorted(paths, key=_order, reverse=True):
        if not path:
            properties = None
        else:
            _remove(properties, path)
    names = ["properties" if not path else ".".join("$" if type(s) is int else str(s) for s in path) for path in paths]
    return Repaired({**record, "properties": properties}, names)


def _remove(value: Any, path: tuple[str | int, ...]) -> None:
    for step in path[:-1]:
        value = value[step]
    del value[path[-1]]


def _order(path: tuple[str | int, ...]) -> tuple[tuple[bool, int, str], ...]:
    return tuple((isinstance(step, str), step if isinstance(step, int) else 0, str(step)) for step in path)


def _needs_senders_clock(record: Record) -> bool:
    return record.get("timestamp") is None and all(record.get(field) is not None for field in _INSTANTS[1:])


def _is_number(value: object) -> TypeGuard[float]:
    return type(value) in (int, float)


def _is_readable(value: object) -> bool:
    try:
        return isinstance(value, str) and parse_instant_us(value) is not None
    except ValueError:
        return False

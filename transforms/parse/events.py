"""Parses and validates one event: Segment's wire format in, an `Event` or a `Failure` out, never an exception.

The checks, in this order; the first that a record fails is its reason (schemas/failure_reasons.py):

1. bytes: too_large, not_utf8, malformed_json
2. schema_violation: the envelope, its instants and the properties, all violations together
3. unplanned_event, if unplanned events are refused
4. missing_identifier, blocked_identifier
5. missing_timestamp, timestamp_in_future

Hot path: 4 us for a track event of 600 bytes, 3 us for 400 (orjson 0.9, schema 0.5, four instants 0.8, properties and
context written again 0.3). Hence no helper calls for what every event needs, one compiled schema per event for envelope
and properties together, and lists of errors made only for what failed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal, cast

import orjson

from schemas import failure_reasons as reasons
from schemas.event import MICROSECONDS_PER_SECOND, Event, Failure
from schemas.instants import EARLIEST_US, LATEST_US, parse_instant_us
from schemas.tracking_plan import EVENT_TYPES, TrackingPlan
from transforms.parse.identifiers import BLOCKED_IDENTIFIERS, BlockedIdentifiers

DEFAULT_MAX_EVENT_BYTES: Final = 512 * 1024
MAX_UNPLANNED_NAMES: Final = 1000
OTHER_UNPLANNED: Final = "(other)"

_ALLOWED_AHEAD_US: Final = 24 * 3600 * MICROSECONDS_PER_SECOND
_INSTANTS: Final = ("timestamp", "originalTimestamp", "sentAt", "receivedAt")
_UNREADABLE: Final = "expected an ISO 8601 date-time with a zone, in the years 1 to 9999"
_IDENTIFIERS: Final = ("userId", "anonymousId", "previousId")
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"

_AHEAD: Final = "/timestamp: expected at most 24 hours after receivedAt"
_NAMED_TYPES: Final = ("page", "screen")

_new: Final = tuple.__new__
_dumps: Final = orjson.dumps

Record = dict[str, Any]
Refusal = tuple[str, tuple[str, ...]]  # reason, errors
Attributes = dict[str, Any]


class EventParser:
    """Turns raw records into events. Pickles with its plan; validators are compiled on first use.

    Args:
        plan: the tracking plan to validate with.
        blocked_identifiers: values that never identify anyone, besides those of nothing but zeros and dashes.
        unplanned: whether a track event without a schema is accepted (and counted) or failed.
        max_event_bytes: longer records fail as too_large.

    Attributes:
        unplanned_counts: accepted or failed track events without a schema, by name. Names beyond the first
            MAX_UNPLANNED_NAMES are counted together under OTHER_UNPLANNED. The caller reads and clears it.
    """

    def __init__(
        self,
        plan: TrackingPlan,
        blocked_identifiers: frozenset[str] = BLOCKED_IDENTIFIERS,
        unplanned: Literal["accept", "fail"] = "accept",
        max_event_bytes: int = DEFAULT_MAX_EVENT_BYTES,
    ) -> None:
        if unplanned not in ("accept", "fail"):
            raise ValueError(f"unplanned must be accept or fail, not {unplanned!r}")
        self.unplanned_counts: dict[str, int] = {}
        self._settings = (plan, blocked_identifiers, unplanned, max_event_bytes)
        self._plan = plan
        self._planned = plan.event_names()
        self._blocks = BlockedIdentifiers(blocked_identifiers).blocks
        self._refuses_unplanned = unplanned == "fail"
        self._max_event_bytes = max_event_bytes
        # (type, name of a planned track event or None) -> is_valid of the whole message
        self._validators: dict[tuple[object, object], Callable[[Any], bool]] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        return EventParser, self._settings

    def parse(self, raw: bytes, source: str, attributes: Attributes | None = None) -> Event | Failure:
        """One JSON message. A failure keeps `raw` untouched. Blank lines are the caller's business.

        Args:
            raw: the bytes of one message, without the line break.
            source: the input as given to --input.
            attributes: attributes or headers of the message, for the failure.
        """
        if len(raw) > self._max_event_bytes:
            too_many = f": expected at most {self._max_event_bytes} bytes, not {len(raw)}"
            return Failure(reasons.TOO_LARGE, (too_many,), "parse", None, raw, attributes or {}, source, None)
        try:
            record = orjson.loads(raw)
        except orjson.JSONDecodeError as error:
            return self._unreadable(raw, source, attributes, error)
        if type(record) is not dict:
            errors = (": expected a JSON object",)
            return Failure(reasons.MALFORMED_JSON, errors, "parse", None, raw, attributes or {}, source, None)
        return self.parse_record(record, raw, source, attributes)

    def parse_record(
        self, record: Record, raw: bytes, source: str, attributes: Attributes | None = None
    ) -> Event | Failure:
        """A record of JSON values under their wire names, of which `raw` is the JSON text."""
        result = self._event(record)
        if type(result) is Event:
            return result
        reason, errors = cast("Refusal", result)
        message_id, received = record.get("messageId"), record.get("receivedAt")
        return Failure(
            reason,
            errors,
            "parse" if reason == reasons.MALFORMED_JSON else "validate",
            message_id if isinstance(message_id, str) else None,
            raw,
            attributes or {},
            source,
            _instant_or_none(received),
        )

    def _event(self, record: Record) -> Event | Refusal:  # noqa: C901, PLR0912 - each call not made saves 0.1 us
        get = record.get
        event_type = get("type")
        name = get("event") if event_type == "track" else None
        try:
            is_valid = self._validators.get((event_type, name))
        except TypeError:  # a list or an object cannot be looked up
            return self._violation(record)
        if is_valid is None:
            is_valid = self._validator(event_type, name)
        if is_valid is None or not is_valid(record):
            return self._violation(record)

        # The schema has made sure of the types of everything that is read from here on.
        timestamp, received, sent, original = (
            get("timestamp"),
            get("receivedAt"),
            get("sentAt"),
            get("originalTimestamp"),
        )
        event_time: int | None
        try:
            received_at = None if received is None else parse_instant_us(received)
            sent_at = None if sent is None else parse_instant_us(sent)
            originally = None if original is None else parse_instant_us(original)
            if timestamp is not None:
                event_time = parse_instant_us(timestamp)
            elif received_at is None or sent_at is None or originally is None:
                event_time = received_at
            else:
                # The sender's clock may be wrong, but by the same amount in both, so that their difference is right.
                event_time = received_at - (sent_at - originally)
        except ValueError:
            return self._violation(record)

        user_id, anonymous_id, previous_id, group_id = get("userId"), get("anonymousId"), None, None
        identified = user_id is not None or anonymous_id is not None
        if event_type == "track":
            if name not in self._planned and not self._counts_unplanned(str(name)):
                return reasons.UNPLANNED_EVENT, ("/event: no schema names it",)
        elif event_type in _NAMED_TYPES:
            name = get("name")
        elif event_type == "group":
            group_id = get("groupId")
        elif event_type == "alias":
            previous_id = get("previousId")
            identified = user_id is not None and previous_id is not None
        elif event_type == "delete":
            identified = user_id is not None

        blocks = self._blocks
        if not identified:
            return _missing_identifier(record)
        if (
            (user_id is not None and blocks(user_id))
            or (anonymous_id is not None and blocks(anonymous_id))
            or (previous_id is not None and blocks(previous_id))
        ):
            return self._blocked_identifier(user_id, anonymous_id, previous_id)

        if event_time is None:
            return reasons.MISSING_TIMESTAMP, ("/timestamp: is required, or else receivedAt",)
        if received_at is not None and event_time - received_at > _ALLOWED_AHEAD_US:
            return reasons.TIMESTAMP_IN_FUTURE, (_AHEAD,)
        if not EARLIEST_US <= event_time <= LATEST_US:
            return reasons.SCHEMA_VIOLATION, (f"/originalTimestamp: with receivedAt and sentAt, {_UNREADABLE}",)

        properties, traits, context = get("properties"), get("traits"), get("context")
        try:
            # tuple.__new__ makes the named tuple in 0.09 us, its constructor in 0.21.
            return _new(
                Event,
                (
                    record["messageId"],
                    event_time,
                    event_type,
                    name or "",
                    user_id,
                    anonymous_id,
                    previous_id,
                    group_id,
                    received_at,
                    None if properties is None else _dumps(properties),
                    None if traits is None else _dumps(traits),
                    None if context is None else _dumps(context),
                ),
            )
        except orjson.JSONEncodeError:  # the only thing in parsed JSON that cannot be written again
            return reasons.MALFORMED_JSON, (": nested too deeply",)

    def _validator(self, event_type: object, name: object) -> Callable[[Any], bool] | None:
        """Compiles once. Names without a schema share a validator and are not kept: there is no end to them."""
        if event_type not in EVENT_TYPES:
            return None
        key = (str(event_type), str(name) if name in self._planned else None)
        if key not in self._validators:
            self._validators[key] = self._plan.validator(*key).is_valid
        return self._validators[key]

    def _counts_unplanned(self, name: str) -> bool:
        """Counts an event without a schema. True if it may pass."""
        counts = self.unplanned_counts
        if name not in counts and len(counts) >= MAX_UNPLANNED_NAMES:
            name = OTHER_UNPLANNED
        counts[name] = counts.get(name, 0) + 1
        return not self._refuses_unplanned

    def _violation(self, record: Record) -> Refusal:
        event_type, name = record.get("type"), record.get("event")
        validator = self._plan.validator(
            event_type if event_type in EVENT_TYPES else None, name if isinstance(name, str) else None
        )
        unreadable = [
            f"/{field}: {_UNREADABLE}"
            for field in _INSTANTS
            if isinstance(record.get(field), str) and _instant_or_none(record[field]) is None
        ]
        return reasons.SCHEMA_VIOLATION, tuple(sorted(validator.errors(record) + unreadable))

    def _blocked_identifier(self, *identifiers: str | None) -> Refusal:
        return reasons.BLOCKED_IDENTIFIER, tuple(
            f"/{field}: expected an identifier, not a value that stands for nobody"
            for field, value in zip(_IDENTIFIERS, identifiers, strict=True)
            if value is not None and self._blocks(value)
        )

    def _unreadable(
        self, raw: bytes, source: str, attributes: Attributes | None, error: orjson.JSONDecodeError
    ) -> Event | Failure:
        if raw.startswith(_BYTE_ORDER_MARK):  # RFC 8259 lets a reader ignore it; the first line of many files has one
            parsed = self.parse(raw.removeprefix(_BYTE_ORDER_MARK), source, attributes)
            return parsed._replace(raw=raw) if isinstance(parsed, Failure) else parsed
        reason, text = reasons.MALFORMED_JSON, f": {error.msg} (character {error.colno})"
        try:
            raw.decode()
        except UnicodeDecodeError as invalid:
            reason, text = reasons.NOT_UTF8, f": byte {invalid.start + 1} is not UTF-8"
        return Failure(reason, (text,), "parse", None, raw, attributes or {}, source, None)


def _missing_identifier(record: Record) -> Refusal:
    required = {"alias": ("previousId", "userId"), "delete": ("userId",)}.get(record["type"])
    if required is None:
        return reasons.MISSING_IDENTIFIER, ("/userId: is required, or else anonymousId",)
    return reasons.MISSING_IDENTIFIER, tuple(
        f"/{field}: is required" for field in required if record.get(field) is None
    )


def _instant_or_none(value: object) -> int | None:
    try:
        return parse_instant_us(value) if isinstance(value, str) else None
    except ValueError:
        return None

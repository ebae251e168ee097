"""Parses and validates one event: Segment's wire format in, an `Event` or a `Failure` out, never an exception.

The checks, in this order; the first that a record fails is its reason (schemas/failure_reasons.py):

1. bytes: too_large, not_utf8, malformed_json
2. schema_violation: the envelope, its instants and the properties, all violations together
   (`violations="drop"`: what is wrong with the properties is left out and counted)
3. unplanned_event, if unplanned events are refused
4. missing_identifier, blocked_identifier
5. missing_timestamp, timestamp_in_future

Whose fault an exception is: what a library raises on a record (decoding, validating, writing again) is that record's,
so each call of one stands in a `try` of its own (`refusal_of`). What our own code raises is not caught.

Hot path: 4 us for a track event of 600 bytes, 3 us for 400 (orjson 0.9, schema 0.5, two instants 0.6, properties and
context written again 0.3). Hence no helper calls for what every event needs, one compiled schema per event for envelope
and properties together, and lists of errors made only for what failed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal

import orjson

from schemas import failure_reasons as reasons
from schemas.event import Event, Failure
from schemas.instants import DAY_US, EARLIEST_US, LATEST_US, parse_instant_us
from schemas.tracking_plan import EVENT_TYPES, TrackingPlan
from transforms.parse.identifiers import BLOCKED_IDENTIFIERS, BlockedIdentifiers, without_empty_ones
from transforms.parse.rows import Attributes
from transforms.parse.violations import (
    UNREADABLE,
    Epoch,
    Record,
    Refusal,
    refusal_of,
    schema_violation,
    with_text_instants,
    without_wrong_properties,
)

if TYPE_CHECKING:  # columns are not for those who only have options to check
    from transforms.parse.plain_events import PlainReader, PlainSettings

DEFAULT_MAX_EVENT_BYTES: Final = 512 * 1024
MAX_RECEIVED_BYTES: Final = 32 * 1024
"""The most bytes of an event that came over HTTP: Segment's limit, which files and brokers need not keep."""
RECEIVED_BYTES: Final = "receivedBytes"
"""What the API notes in an event that is over it: a batch is taken whole, and its one large event fails here."""
MAX_NAMES: Final = 1000
OTHER: Final = "(other)"

LONGEST_NAME: Final = 200
"""Characters of an event's name that are counted by: there is no end to what trackers send."""

_OUTSIDE: Final = f"/originalTimestamp: with receivedAt and sentAt, {UNREADABLE}"
_IDENTIFIERS: Final = ("userId", "anonymousId", "previousId")
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"

_AHEAD: Final = "/timestamp: expected at most 24 hours after receivedAt"
_NAMED_TYPES: Final = ("page", "screen")

_new: Final = tuple.__new__
_dumps: Final = orjson.dumps


class EventParser:
    """Turns raw records into events. Pickles with its plan; validators are compiled on first use.

    Args:
        plan: the tracking plan to validate with.
        blocked_identifiers: values that never identify anyone, besides those of nothing but zeros and dashes.
        unplanned: whether a track event without a schema is accepted (and counted) or failed.
        max_event_bytes: longer records fail as too_large.
        epoch: what a bare number as an instant counts since the epoch; None: it is a violation.
        violations: whether an event whose properties break its schema fails, or is kept without them (and counted).
        tells_names: whether names that are not of the plan, and paths, may stand in the names of counters; a sender
            can put anything into them, and counters of a job in a cloud go far.

    Attributes:
        unplanned_counts: accepted or failed track events without a schema, by name.
        dropped_counts: properties that were left out, by event and path (`Order Completed: products.$.price`).
            Of both: names beyond the first MAX_NAMES are counted together under OTHER, long ones are cut. The caller
            reads and clears them.
    """

    def __init__(
        self,
        plan: TrackingPlan,
        blocked_identifiers: frozenset[str] = BLOCKED_IDENTIFIERS,
        unplanned: Literal["accept", "fail"] = "accept",
        max_event_bytes: int = DEFAULT_MAX_EVENT_BYTES,
        epoch: Epoch | None = None,
        violations: Literal["fail", "drop"] = "fail",
        tells_names: bool = True,
    ) -> None:
        if unplanned not in ("accept", "fail"):
            raise ValueError(f"unplanned must be accept or fail, not {unplanned!r}")
        self.unplanned_counts: dict[str, int] = {}
        self.dropped_counts: dict[str, int] = {}
        self._settings = (plan, blocked_identifiers, unplanned, max_event_bytes, epoch, violations, tells_names)
        self.tells_names = tells_names
        self._plan = plan
        self._planned = plan.event_names()
        self._blocks = BlockedIdentifiers(blocked_identifiers).blocks
        self._refuses_unplanned = unplanned == "fail"
        self._max_event_bytes = max_event_bytes
        self._epoch = epoch
        self._drops = violations == "drop"
        self._plain: PlainSettings | None = None
        # (type, name of a planned track event or None) -> is_valid of the whole message
        self._validators: dict[tuple[object, object], Callable[[Any], bool]] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        return EventParser, self._settings

    def plain_reader(self) -> PlainReader | None:
        """Reads messages that are plainly good as this would, many at once; None where it was not compiled.

        The caller tells what it took without a schema (`count_unplanned`).
        """
        from transforms.parse.plain_events import is_compiled

        return self.plain_settings().reader() if is_compiled() else None

    def plain_settings(self) -> PlainSettings:
        """What a plain event is, by the settings of this parser; made once."""
        from transforms.parse.plain_events import PlainSettings

        if self._plain is None:
            self._plain = PlainSettings(
                self._plan,
                self._settings[1],
                refuses_unplanned=self._refuses_unplanned,
                # Longer ones may be too long for another reason: RECEIVED_BYTES.
                max_event_bytes=min(self._max_event_bytes, MAX_RECEIVED_BYTES),
            )
        return self._plain

    def count_unplanned(self, names: Mapping[str, int]) -> None:
        """Counts track events without a schema that were accepted."""
        for name, count in names.items():
            _count(self.unplanned_counts, name, count)

    def planned_names(self) -> frozenset[str]:
        """The track events that have a schema."""
        return self._planned

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
        except Exception as error:  # noqa: BLE001 - whatever it is, the bytes are to blame
            return self._unreadable(raw, source, attributes, error)
        if type(record) is not dict:
            errors = (": expected a JSON object",)
            return Failure(reasons.MALFORMED_JSON, errors, "parse", None, raw, attributes or {}, source, None)
        if len(raw) > MAX_RECEIVED_BYTES and RECEIVED_BYTES in record:
            too_many = f": expected at most {MAX_RECEIVED_BYTES} bytes over HTTP, not {record[RECEIVED_BYTES]}"
            return Failure(reasons.TOO_LARGE, (too_many,), "parse", None, raw, attributes or {}, source, None)
        if self._epoch is None:  # as parse_record would, without the call
            result = self._event(record)
            return result if type(result) is Event else self._refused(result, record, raw, source, attributes)  # type: ignore[arg-type]
        return self.parse_record(record, raw, source, attributes)

    def parse_record(
        self, record: Record, raw: bytes, source: str, attributes: Attributes | None = None
    ) -> Event | Failure:
        """A record of JSON values under their wire names, of which `raw` is the JSON text."""
        if self._epoch is not None:
            record = with_text_instants(record, self._epoch)
        result = self._event(record)
        return result if type(result) is Event else self._refused(result, record, raw, source, attributes)  # type: ignore[arg-type]

    def _refused(
        self, refusal: Refusal, record: Record, raw: bytes, source: str, attributes: Attributes | None
    ) -> Event | Failure:
        """The event without what is wrong with it, where that is asked for and possible; else what is wrong."""
        repaired = self._repaired(record) if self._drops else None
        if repaired is not None:
            return repaired
        reason, errors = refusal
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
        try:
            valid = is_valid is not None and is_valid(record)
        except BaseException as error:  # noqa: BLE001 - a panic of the validator is no Exception
            return refusal_of(error)
        if not valid:
            return self._violation(record)

        # The schema has made sure of the types of everything that is read from here on, but of the sender's clock.
        timestamp, received = get("timestamp"), get("receivedAt")
        try:
            received_at = None if received is None else parse_instant_us(received)
            event_time = parse_instant_us(timestamp) if timestamp is not None else receipt_time(record, received_at)
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
        elif event_type == "retract":  # needs no identifier, and is nobody's
            user_id, anonymous_id, identified = None, None, True

        blocks = self._blocks
        if not identified:
            return _missing_identifier(record)
        if (
            (user_id is not None and blocks(user_id))
            or (anonymous_id is not None and blocks(anonymous_id))
            or (previous_id is not None and blocks(previous_id))
        ):
            user_id, anonymous_id = without_empty_ones(event_type, user_id, anonymous_id)
            if blocked := self._blocked_identifier(user_id, anonymous_id, previous_id):
                return reasons.BLOCKED_IDENTIFIER, blocked

        if event_time is None:
            return reasons.MISSING_TIMESTAMP, ("/timestamp: is required, or else receivedAt",)
        if received_at is not None and event_time - received_at > DAY_US:
            return reasons.TIMESTAMP_IN_FUTURE, (_AHEAD,)
        if not EARLIEST_US <= event_time <= LATEST_US:
            return reasons.SCHEMA_VIOLATION, (_OUTSIDE,)

        if event_type == "retract":
            previous_id = get("retracts")
        properties, traits, context = get("properties"), get("traits"), get("context")
        if event_type == "identify" and not traits and context:
            inside = context.get("traits")
            traits = inside if type(inside) is dict else traits
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
        except orjson.JSONEncodeError as error:  # nested too deeply
            return refusal_of(error)

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
        _count(self.unplanned_counts, name)
        return not self._refuses_unplanned

    def _repaired(self, record: Record) -> Event | None:
        """The event without the properties that break its schema; None where that does not mend it."""
        validator = self._plan.validator(*self._kind(record))
        repaired = without_wrong_properties(validator, record)
        if repaired is None:
            return None
        event = self._event(repaired.record)
        if type(event) is not Event:
            return None
        for path in repaired.dropped:
            _count(self.dropped_counts, f"{event.name[:LONGEST_NAME] or event.type}: {path}")
        return event

    def _violation(self, record: Record) -> Refusal:
        return schema_violation(self._plan.validator(*self._kind(record)), record, self._epoch)

    def _kind(self, record: Record) -> tuple[str | None, str | None]:
        """The type and the event's name, as the tracking plan knows them."""
        event_type, name = record.get("type"), record.get("event")
        known = isinstance(event_type, str) and event_type in EVENT_TYPES
        return event_type if known else None, name if isinstance(name, str) else None

    def _blocked_identifier(self, *identifiers: str | None) -> tuple[str, ...]:
        return tuple(
            f"/{field}: expected an identifier, not a value that stands for nobody"
            for field, value in zip(_IDENTIFIERS, identifiers, strict=True)
            if value is not None and self._blocks(value)
        )

    def _unreadable(self, raw: bytes, source: str, attributes: Attributes | None, error: Exception) -> Event | Failure:
        if raw.startswith(_BYTE_ORDER_MARK):  # RFC 8259 lets a reader ignore it; the first line of many files has one
            parsed = self.parse(raw.removeprefix(_BYTE_ORDER_MARK), source, attributes)
            return parsed._replace(raw=raw) if isinstance(parsed, Failure) else parsed
        reason, text = reasons.MALFORMED_JSON, _place(raw, error)
        try:
            raw.decode()
        except UnicodeDecodeError as invalid:
            reason, text = reasons.NOT_UTF8, f": byte {invalid.start + 1} is not UTF-8"
        return Failure(reason, (text,), "parse", None, raw, attributes or {}, source, None)


def _place(raw: bytes, error: Exception) -> str:
    """What is wrong and where, counted in characters of the record, from its line's start where it has several."""
    if not isinstance(error, orjson.JSONDecodeError):
        return refusal_of(error)[1][0]
    line = f"line {error.lineno}, " if b"\n" in raw else ""
    return f": {error.msg} ({line}character {error.colno})"


def _count(counts: dict[str, int], name: str, more: int = 1) -> None:
    """Adds to a name's count, of which there are never too many, nor too long ones."""
    name = name[:LONGEST_NAME]
    if name not in counts and len(counts) >= MAX_NAMES:
        name = OTHER
    counts[name] = counts.get(name, 0) + more


def receipt_time(record: Record, received_at: int | None) -> int | None:
    """The event time of a record without `timestamp`.

    Raises:
        ValueError: it takes the sender's clock, which is unreadable.
    """
    sent, original = record.get("sentAt"), record.get("originalTimestamp")
    if received_at is None or sent is None or original is None:
        return received_at
    if not isinstance(sent, str) or not isinstance(original, str):
        raise ValueError("the sender's clock is no text")  # noqa: TRY004 - the record is wrong, not the call
    # The sender's clock may be wrong, but by the same amount in both, so that their difference is right.
    return received_at - (parse_instant_us(sent) - parse_instant_us(original))


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

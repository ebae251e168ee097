"""Why a record is in `failed_events`: the closed list. docs/failed_events.md has one row for each, proven by a test."""

from __future__ import annotations

from typing import Final

TOO_LARGE: Final = "too_large"
NOT_UTF8: Final = "not_utf8"
MALFORMED_JSON: Final = "malformed_json"
MALFORMED_GZIP: Final = "malformed_gzip"
MALFORMED_AVRO: Final = "malformed_avro"
MALFORMED_PARQUET: Final = "malformed_parquet"
SCHEMA_VIOLATION: Final = "schema_violation"
UNPLANNED_EVENT: Final = "unplanned_event"
MISSING_IDENTIFIER: Final = "missing_identifier"
BLOCKED_IDENTIFIER: Final = "blocked_identifier"
MISSING_TIMESTAMP: Final = "missing_timestamp"
TIMESTAMP_IN_FUTURE: Final = "timestamp_in_future"
CONFLICTING_DUPLICATE: Final = "conflicting_duplicate"
NOT_RETRACTABLE: Final = "not_retractable"
ALIAS_CYCLE: Final = "alias_cycle"
ALIAS_CONFLICT: Final = "alias_conflict"
MERGE_LIMIT: Final = "merge_limit"
TOO_LATE: Final = "too_late"
REJECTED_BY_OUTPUT: Final = "rejected_by_output"

# In the order in which an event meets the checks: the first that it fails is its reason.
REASONS: Final[dict[str, str]] = {
    TOO_LARGE: "The record has more bytes than one event may have.",
    NOT_UTF8: "The bytes are not UTF-8.",
    MALFORMED_JSON: "The text is not JSON, is not a JSON object, or is nested too deeply.",
    MALFORMED_GZIP: "A part of a gzipped file cannot be unpacked.",
    MALFORMED_AVRO: "A part of an Avro file cannot be read.",
    MALFORMED_PARQUET: "A part of a Parquet file cannot be read.",
    SCHEMA_VIOLATION: "The envelope or the event's properties break their JSON Schema, or an instant is unreadable.",
    UNPLANNED_EVENT: "No schema names the track event, and the job runs with --unplanned=fail.",
    MISSING_IDENTIFIER: "Neither userId nor anonymousId; for alias, previousId or userId; for delete, userId.",
    BLOCKED_IDENTIFIER: "An identifier has a value that never identifies anyone.",
    MISSING_TIMESTAMP: "Neither timestamp nor receivedAt.",
    TIMESTAMP_IN_FUTURE: "The event time is more than 24 hours after receivedAt.",
    CONFLICTING_DUPLICATE: "Another event has the same messageId and other content, and stands.",
    NOT_RETRACTABLE: "The retract names a delete or another retract, which are final.",
    ALIAS_CYCLE: "The alias would merge a profile into itself.",
    ALIAS_CONFLICT: "The alias would give a previousId a second user.",
    MERGE_LIMIT: "The alias would put more than max_merges profiles into one.",
    TOO_LATE: "The event came after the allowed lateness of a streaming job.",
    REJECTED_BY_OUTPUT: "The output refused a row of the event.",
}

"""Every output table, once: DuckDB, Parquet and BigQuery schemas are all derived from this."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ColumnType = Literal["STRING", "INTEGER", "FLOAT", "BOOLEAN", "TIMESTAMP", "DATE", "JSON", "BYTES"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `repeated` is an ARRAY of `type`. Timestamps are microseconds, UTC."""

    name: str
    type: ColumnType
    description: str
    required: bool = False
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """One table. `key` identifies a row. In BigQuery the day of `partition`, a TIMESTAMP, partitions it."""

    name: str
    description: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    partition: str | None = None
    cluster: tuple[str, ...] = ()

    def column_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)


def _recorded_at() -> Column:
    return Column("recorded_at", "TIMESTAMP", "When the row was written (in a bounded job: as_of).", required=True)


PROFILES = Table(
    "profiles",
    "One row per profile, the merged ones included.",
    (
        Column("profile_id", "STRING", "`user:<userId>` or `anon:<anonymousId>`.", required=True),
        Column("user_id", "STRING", "The user id; null for an anonymous profile."),
        Column("anonymous_ids", "STRING", "Devices whose events belong to the profile, sorted.", repeated=True),
        Column("email", "STRING", "Normalised e-mail address."),
        Column("phone", "STRING", "Phone number, E.164."),
        Column("first_name", "STRING", "First name."),
        Column("last_name", "STRING", "Last name."),
        Column("birthday", "DATE", "Date of birth."),
        Column("age", "INTEGER", "Age in years, as sent."),
        Column("gender", "STRING", "Enum: see docs/profiles.md."),
        Column("income_bracket", "STRING", "Enum: see docs/profiles.md."),
        Column("city", "STRING", "City."),
        Column("region", "STRING", "State, province or region."),
        Column("country", "STRING", "ISO 3166-1 alpha-2."),
        Column("postal_code", "STRING", "Postal code."),
        Column("latitude", "FLOAT", "Degrees, -90 to 90."),
        Column("longitude", "FLOAT", "Degrees, -180 to 180."),
        Column("language", "STRING", "BCP 47 language tag."),
        Column("timezone", "STRING", "IANA time zone."),
        Column("signed_up_at", "TIMESTAMP", "When the customer signed up."),
        Column("loyalty_status", "STRING", "Enum: see docs/profiles.md."),
        Column("subscription_tier", "STRING", "Enum: see docs/profiles.md."),
        Column("tags", "STRING", "Labels, in the order they were sent.", repeated=True),
        Column("device_type", "STRING", "Enum, from the latest context that names one."),
        Column("traits", "JSON", "Every trait, as it was sent.", required=True),
        Column("computed", "JSON", "Computed traits by name.", required=True),
        Column("segments", "STRING", "Names of the segments the profile is in, sorted.", repeated=True),
        Column("first_seen_at", "TIMESTAMP", "Event time of the first event; null for a merged profile."),
        Column("last_seen_at", "TIMESTAMP", "Event time of the last event; null for a merged profile."),
        Column("event_count", "INTEGER", "Events that belong to the profile.", required=True),
        Column("merged_into", "STRING", "The profile that took this one's events, if one did."),
        Column("version", "INTEGER", "Grows with each write of the row.", required=True),
        _recorded_at(),
    ),
    key=("profile_id",),
    cluster=("profile_id",),
)

_NAMES = PROFILES.column_names()
TYPED_COLUMNS = PROFILES.columns[_NAMES.index("email") : _NAMES.index("traits")]
"""The columns of `profiles` that well-known traits are normalised into (docs/profiles.md)."""

MEMBERSHIPS = Table(
    "memberships",
    "One row per interval [entered_at, exited_at) of a profile in a segment.",
    (
        Column("profile_id", "STRING", "The profile.", required=True),
        Column("segment", "STRING", "The segment's name.", required=True),
        Column("entered_at", "TIMESTAMP", "First instant of the membership.", required=True),
        Column("exited_at", "TIMESTAMP", "First instant after it; null: is a member as of as_of."),
        Column("expires_at", "TIMESTAMP", "When a current membership ends if nothing else happens; null: never."),
        Column("segment_version", "STRING", "Hash of the segment's definition.", required=True),
        Column("message_ids", "STRING", "The events that made it true, at most 10, earliest first.", repeated=True),
        Column("exit_message_ids", "STRING", "The events that ended it, at most 10, earliest first.", repeated=True),
        _recorded_at(),
    ),
    key=("profile_id", "segment", "entered_at"),
    cluster=("segment", "profile_id"),
)

MEMBERSHIP_CHANGES = Table(
    "membership_changes",
    "Append-only log of entries, exits and retractions.",
    (
        Column("change_id", "STRING", "Deterministic id of the change.", required=True),
        Column("profile_id", "STRING", "The profile.", required=True),
        Column("segment", "STRING", "The segment's name.", required=True),
        Column("segment_version", "STRING", "Hash of the segment's definition.", required=True),
        Column("change", "STRING", "entered, exited or retracted.", required=True),
        Column("at", "TIMESTAMP", "Event time of the change.", required=True),
        Column(
            "cause",
            "STRING",
            "event, time, late_event, merge, retraction, segment_changed, segment_expired or deleted.",
            required=True,
        ),
        Column("message_ids", "STRING", "The events that caused it, at most 10, earliest first.", repeated=True),
        _recorded_at(),
    ),
    key=("change_id",),
    partition="at",
    cluster=("segment", "profile_id"),
)

EVENTS = Table(
    "events",
    "Every accepted event.",
    (
        Column("message_id", "STRING", "The event's identity.", required=True),
        Column("profile_id", "STRING", "The profile that it belongs to.", required=True),
        Column("user_id", "STRING", "userId as sent."),
        Column("anonymous_id", "STRING", "anonymousId as sent."),
        Column("type", "STRING", "track, identify, page, screen, group or alias.", required=True),
        Column("event", "STRING", "Name of a track event, page or screen."),
        Column("timestamp", "TIMESTAMP", "Event time.", required=True),
        Column("received_at", "TIMESTAMP", "receivedAt as sent."),
        Column("properties", "JSON", "Properties as sent."),
        Column("traits", "JSON", "Traits as sent."),
        Column("context", "JSON", "Context as sent."),
        Column("previous_id", "STRING", "previousId of an alias, as sent."),
        Column("group_id", "STRING", "groupId of a group event, as sent."),
    ),
    key=("message_id",),
    partition="timestamp",
    cluster=("profile_id", "event"),
)

FAILED_EVENTS = Table(
    "failed_events",
    "Every record that could not be processed, its bytes untouched.",
    (
        Column("failure_id", "STRING", "Deterministic id: of the reason and the bytes.", required=True),
        Column("reason", "STRING", "One of the closed list in docs/failed_events.md.", required=True),
        Column("errors", "STRING", "Every violation, with its JSON pointer.", repeated=True),
        Column("stage", "STRING", "The stage that refused it: parse, validate, deduplicate ...", required=True),
        Column("message_id", "STRING", "messageId, where it could be read."),
        Column("raw", "BYTES", "The record's original bytes.", required=True),
        Column("attributes", "JSON", "Attributes or headers of the message, if any.", required=True),
        Column("source", "STRING", "The input it came from, as given to --input.", required=True),
        Column("received_at", "TIMESTAMP", "receivedAt, where it could be read."),
        Column("pipeline_version", "STRING", "Version of Tidemark that refused it.", required=True),
    ),
    key=("failure_id",),
    cluster=("reason",),
)

IDENTITY_LINKS = Table(
    "identity_links",
    "Which user stood behind a device (or a previous id) from which instant.",
    (
        Column("anonymous_id", "STRING", "The anonymousId, or the previousId of an alias.", required=True),
        Column("user_id", "STRING", "The user.", required=True),
        Column("timestamp", "TIMESTAMP", "Event time of the link.", required=True),
        Column("message_id", "STRING", "The event that made it.", required=True),
    ),
    key=("anonymous_id", "user_id", "timestamp"),
    cluster=("anonymous_id",),
)

DELETIONS = Table(
    "deletions",
    "Receipts of erasure.",
    (
        Column("receipt_id", "STRING", "Deterministic id of the request.", required=True),
        Column("id_hash", "STRING", "SHA-256 of the deleted user id.", required=True),
        Column("requested_at", "TIMESTAMP", "Event time of the delete event.", required=True),
        Column("completed_at", "TIMESTAMP", "When the erasure was done (in a bounded job: as_of).", required=True),
        Column("counts", "JSON", "Rows erased per table.", required=True),
    ),
    key=("receipt_id",),
)

ACCOUNTS = Table(
    "accounts",
    "One row per account: a company, a household, whoever group events put users into.",
    (
        Column("account_id", "STRING", "`account:<groupId>`.", required=True),
        Column("traits", "JSON", "Every trait of its group events, as it was sent.", required=True),
        Column("computed", "JSON", "Computed traits by name.", required=True),
        Column("segments", "STRING", "Names of the segments the account is in, sorted.", repeated=True),
        Column("user_count", "INTEGER", "Profiles that were put into it.", required=True),
        Column("first_seen_at", "TIMESTAMP", "Event time of its first group event.", required=True),
        Column("last_seen_at", "TIMESTAMP", "Event time of its last event.", required=True),
        Column("event_count", "INTEGER", "Events of its users since each was put into it.", required=True),
        Column("version", "INTEGER", "Grows with each write of the row.", required=True),
        _recorded_at(),
    ),
    key=("account_id",),
    cluster=("account_id",),
)

RETRACTIONS = Table(
    "retractions",
    "Events that were taken out of the set.",
    (
        Column("message_id", "STRING", "The retract's identity.", required=True),
        Column("retracts", "STRING", "The message id of the event that it takes out.", required=True),
        Column("timestamp", "TIMESTAMP", "Event time of the retract.", required=True),
        Column("found", "BOOLEAN", "Whether the event was there.", required=True),
    ),
    key=("message_id",),
)

TABLES: tuple[Table, ...] = (
    PROFILES,
    MEMBERSHIPS,
    MEMBERSHIP_CHANGES,
    EVENTS,
    FAILED_EVENTS,
    IDENTITY_LINKS,
    DELETIONS,
    RETRACTIONS,
    ACCOUNTS,
)

"""The tables that no run of the main job replaces: what other commands remember between their runs.

They stand in the dataset (BigQuery), or in a database beside a local output (pipelines/io/ledger/).
"""

from __future__ import annotations

from schemas.tables import Column, Table

ACTIVATIONS = Table(
    "activations",
    "What each destination should hold, and whether it has said that it does.",
    (
        Column("destination", "STRING", "The destination's name.", required=True),
        Column("profile_id", "STRING", "The profile.", required=True),
        Column("segment", "STRING", "The segment's name.", required=True),
        Column("wanted", "BOOLEAN", "Whether the profile should be there.", required=True),
        Column("state", "STRING", "acknowledged, pending, refused or suppressed.", required=True),
        Column("identifier_hash", "STRING", "SHA-256 of the identifier at the destination.", required=True),
        Column("fields_hash", "STRING", "SHA-256 of the fields that were sent; null: none were."),
        Column("attempts", "INTEGER", "Runs that have tried since the intent last changed.", required=True),
        Column("reason", "STRING", "Why it is pending, refused or suppressed."),
        Column("changed_at", "TIMESTAMP", "When the row last changed.", required=True),
    ),
    key=("destination", "profile_id", "segment"),
    cluster=("destination", "segment"),
)

DESTINATION_RECORDS = Table(
    "destination_records",
    "What addresses a record at its destination without the identifier: an erased person is found by it.",
    (
        Column("destination", "STRING", "The destination's name.", required=True),
        Column("identifier_hash", "STRING", "As in activations.", required=True),
        Column("record_id", "STRING", "The record's id at the destination; empty: not yet known.", required=True),
        Column("profile_id", "STRING", "Whose record it is.", required=True),
        Column("noted_at", "TIMESTAMP", "When it was learnt.", required=True),
    ),
    key=("destination", "identifier_hash"),
)

SUPPRESSIONS = Table(
    "suppressions",
    "Who must not be added, by what a destination itself has answered.",
    (
        Column("destination", "STRING", "The destination that said so.", required=True),
        Column("identifier_hash", "STRING", "As in activations.", required=True),
        Column("reason", "STRING", "unsubscribed, bounced, complained or erased.", required=True),
        Column("noted_at", "TIMESTAMP", "When it was learnt.", required=True),
    ),
    key=("destination", "identifier_hash"),
)

AUDITS = Table(
    "audits",
    "What changed for the worse, by day.",
    (
        Column("audit_id", "STRING", "Deterministic id: of the check, the subject and the day.", required=True),
        Column("day", "DATE", "The day, UTC.", required=True),
        Column("check", "STRING", "Which check found it.", required=True),
        Column("subject", "STRING", "What it is about: a source, an event, a property, a segment.", required=True),
        Column("severity", "STRING", "info, warning or critical.", required=True),
        Column("value", "FLOAT", "What was measured."),
        Column("expected", "FLOAT", "What was expected."),
        Column("first_seen_at", "TIMESTAMP", "When it was first found.", required=True),
    ),
    key=("audit_id",),
    cluster=("check",),
)

DUPLICATES = Table(
    "duplicates",
    "Pairs of profiles that are probably one person.",
    (
        Column("left_id", "STRING", "The profile whose id comes first.", required=True),
        Column("right_id", "STRING", "The other profile.", required=True),
        Column("probability", "FLOAT", "That they are one person, 0 to 1.", required=True),
        Column("evidence", "JSON", "What speaks for and against it, by field; no values.", required=True),
        Column("state", "STRING", "suggested, approved or rejected.", required=True),
    ),
    key=("left_id", "right_id"),
)

PREDICTIONS = Table(
    "predictions",
    "What was predicted of each customer, and when.",
    (
        Column("profile_id", "STRING", "The profile.", required=True),
        Column("as_of", "TIMESTAMP", "Nothing after this instant was known to the model.", required=True),
        Column("horizon_days", "INTEGER", "How far the prediction reaches, from as_of.", required=True),
        Column("expected_orders", "FLOAT", "Orders within the horizon."),
        Column("lifetime_value", "FLOAT", "What they are worth."),
        Column("currency", "STRING", "ISO 4217."),
        Column("churn_risk", "FLOAT", "Probability of no order within the horizon, 0 to 1."),
        Column("model", "STRING", "Which model said so.", required=True),
    ),
    key=("profile_id", "as_of"),
    cluster=("profile_id",),
)

PREDICTION_TRIALS = Table(
    "prediction_trials",
    "How good predictions were on the last period that is over.",
    (
        Column("as_of", "TIMESTAMP", "As in predictions.", required=True),
        Column("horizon_days", "INTEGER", "As in predictions.", required=True),
        Column("customers", "INTEGER", "Customers that were predicted for the period.", required=True),
        Column("measured", "JSON", "Errors beside those of naive guesses, and the calibration.", required=True),
    ),
    key=("as_of", "horizon_days"),
)

LEDGER_TABLES: tuple[Table, ...] = (
    ACTIVATIONS,
    DESTINATION_RECORDS,
    SUPPRESSIONS,
    AUDITS,
    DUPLICATES,
    PREDICTIONS,
    PREDICTION_TRIALS,
)

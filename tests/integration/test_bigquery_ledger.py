"""A ledger in a dataset: rows stand by their key, and a run of the main job leaves it alone."""

from __future__ import annotations

from pathlib import Path

from pipelines.io.bigquery.load import write_dataset
from pipelines.io.ledger import ledger_of, open_ledger
from pipelines.io.outputs import BigQueryOutput
from schemas.ledger import ACTIVATIONS, AUDITS, DESTINATION_RECORDS

pytest_plugins = ("tests.integration.bigquery_fixtures",)

NOON_US = 1_782_820_800_000_000


def activation(profile: str, state: str) -> tuple[object, ...]:
    return ("news", profile, "recent_buyers", True, state, "hash", None, 1, None, NOON_US)


def test_rows_stand_by_key_whatever_the_main_job_does(output: BigQueryOutput, tmp_path: Path) -> None:
    audit = ("a1", "2026-06-30", "null_share", "email", "warning", 0.25, 0.1, NOON_US)
    record = ("news", "hash", "record", "user:a", NOON_US)
    with open_ledger(ledger_of(output)) as ledger:
        ledger.write({DESTINATION_RECORDS: [record], AUDITS: [audit]})
        ledger.write({ACTIVATIONS: [activation("user:b", "pending"), activation("user:a", "pending")]})
        ledger.write({ACTIVATIONS: [activation("user:a", "acknowledged")]})
    write_dataset(output, tmp_path, {})
    with open_ledger(ledger_of(output)) as ledger:
        assert ledger.read(ACTIVATIONS, destination="news") == [
            activation("user:a", "acknowledged"),
            activation("user:b", "pending"),
        ]
        assert ledger.read(ACTIVATIONS, destination="other") == []
        assert ledger.read(AUDITS) == [audit]
        ledger.write({}, gone={DESTINATION_RECORDS: [("news", "hash")]})
        assert ledger.read(DESTINATION_RECORDS) == []
        ledger.write({DESTINATION_RECORDS: [record]})
        assert ledger.read(DESTINATION_RECORDS) == [record]

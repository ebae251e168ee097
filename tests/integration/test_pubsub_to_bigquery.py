"""End to end, live: Pub/Sub in, BigQuery out; the tables are those of a bounded job over the same messages."""

import os
import subprocess
import time
import uuid
from pathlib import Path

import pytest
from google.api_core.exceptions import GoogleAPICallError
from google.cloud import pubsub_v1

from examples.live import LiveShop, write_whole
from pipelines.io.output import BigQueryOutput, DuckDBOutput, OutputError
from pipelines.io.tables import read_table
from schemas.tables import TABLES, Table
from services.service import Running
from tests.integration.bigquery_place import comparable, rows_in
from tests.integration.stream_jobs import ROOT, job_command, run_batch, write_segments

pytest_plugins = ["tests.integration.bigquery_fixtures"]

EVENTS = 150
LOOK_SECONDS = 3
MOST_LOOKS = 100
DIFFERENT = {"recorded_at", "version", "completed_at", "source", "attributes"}
"""What a stream and a bounded job need not have in common."""


def test_messages_in_pubsub_become_rows_in_bigquery(
    pubsub_emulator: Running,
    output: BigQueryOutput,
    prism_binary: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in pubsub_emulator.environment.items():
        monkeypatch.setenv(name, value)
    now_ms = time.time_ns() // 1_000_000
    shop = list(LiveShop(5, 20, now_ms - 60_000).until(now_ms))[:EVENTS]
    segments = write_segments(tmp_path / "segments")
    write_whole(tmp_path / "all.ndjson", shop)
    run_batch([str(tmp_path / "all.ndjson")], segments, tmp_path / "batch.duckdb")
    subscription = publish(shop)
    command = job_command(
        [f"pubsub:{subscription}"], segments, f"bigquery:{output.project}.{output.dataset}", prism_binary
    )
    with (tmp_path / "job.log").open("ab") as log:
        job = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, env=dict(os.environ), start_new_session=True)
        try:
            wait_until_equal(job, output, tmp_path)
        finally:
            os.killpg(job.pid, 9)
            job.wait()


def publish(messages: list[bytes]) -> str:
    """A subscription that holds the messages."""
    project, name = "test-project", f"events-{uuid.uuid4().hex[:8]}"
    publisher, subscriber = pubsub_v1.PublisherClient(), pubsub_v1.SubscriberClient()
    topic, subscription = publisher.topic_path(project, name), subscriber.subscription_path(project, name)
    publisher.create_topic(name=topic)
    subscriber.create_subscription(name=subscription, topic=topic)
    for sent in [publisher.publish(topic, message) for message in messages]:
        sent.result(30)
    return subscription


def shared_columns(table: Table, rows: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
    keep = [place for place, name in enumerate(table.column_names()) if name not in DIFFERENT]
    return [tuple(row[place] for place in keep) for row in rows]


def expected_rows(table: Table, path: Path) -> list[tuple[object, ...]]:
    found = read_table(DuckDBOutput(str(path)), table)
    return comparable(table, list(zip(*(column.to_pylist() for column in found.columns), strict=True)))


def wait_until_equal(job: subprocess.Popen[bytes], output: BigQueryOutput, folder: Path) -> None:
    compared = [table for table in TABLES if table.name != "membership_changes"]
    expected = {table.name: shared_columns(table, expected_rows(table, folder / "batch.duckdb")) for table in compared}
    differing: list[str] = ["everything"]
    for _ in range(MOST_LOOKS):
        try:
            found = {table.name: shared_columns(table, rows_in(output, table)) for table in compared}
            differing = [name for name in expected if expected[name] != found[name]]
        except (GoogleAPICallError, OutputError) as busy:  # the emulator locks its whole database while a job writes
            differing = [str(busy)]
        if not differing:
            return
        try:
            status = job.wait(LOOK_SECONDS)
        except subprocess.TimeoutExpired:
            continue
        raise AssertionError(f"the job ended with {status}:\n{(folder / 'job.log').read_text()}")
    raise AssertionError(f"still different: {differing}\n{(folder / 'job.log').read_text()[-3000:]}")

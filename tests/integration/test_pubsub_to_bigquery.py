"""End to end, live: Pub/Sub in, BigQuery out; the tables are those of a bounded job over the same messages.

The emulator stops for a minute, at least, when two requests come at once. So the job writes through a proxy that lets
one pass after the other, and while it writes nobody reads the tables. The job itself tells when it is done: it
acknowledges a message once all that follows from it is written.
"""

import signal
import time
import urllib.parse
import urllib.request
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from google.cloud.pubsub_v1 import PublisherClient, SubscriberClient

from examples.live import LiveShop, write_whole
from pipelines.io.bigquery_service import WRITE_HOST
from pipelines.io.output import BigQueryOutput, DuckDBOutput, Output
from pipelines.io.tables import read_table
from schemas.tables import MEMBERSHIP_CHANGES, MEMBERSHIPS, TABLES, Table
from services.service import Running
from tests.integration.bigquery_place import comparable
from tests.integration.stream_jobs import StreamJob, run_batch, write_segments
from tests.io.faults import Plan, write_proxy

pytest_plugins = ("tests.integration.bigquery_fixtures",)

EVENTS = 600
DIFFERENT = {"recorded_at", "version", "completed_at", "source", "attributes"}
"""What a stream and a bounded job need not have in common."""

Row = tuple[object, ...]


class Topic(NamedTuple):
    """A topic with one subscription."""

    name: str
    subscription: str
    server: Running

    def publish(self, messages: list[bytes]) -> None:
        with PublisherClient() as publisher:
            for sent in [publisher.publish(self.name, message) for message in messages]:
                sent.result(30)
            publisher.stop()

    def is_acknowledged(self) -> bool:
        """Whether every message is, some time."""
        asked = urllib.parse.urlencode({"topic": self.name})
        address = f"http://{self.server.endpoints['counts']}/unacknowledged?{asked}"
        with urllib.request.urlopen(address, timeout=10) as answer:
            return int(answer.read()) == 0


@pytest.fixture
def topic(pubsub_emulator: Running, monkeypatch: pytest.MonkeyPatch) -> Iterator[Topic]:
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", pubsub_emulator.environment["PUBSUB_EMULATOR_HOST"])
    name = f"events-{uuid.uuid4().hex[:8]}"
    made = Topic(f"projects/test-project/topics/{name}", f"projects/test-project/subscriptions/{name}", pubsub_emulator)
    with PublisherClient() as publisher, SubscriberClient() as subscriber:
        publisher.create_topic(name=made.name)
        subscriber.create_subscription(name=made.subscription, topic=made.name)
        publisher.stop()
    return made


@pytest.mark.parametrize("share", [0.0, 0.3], ids=["no faults", "faults"])
def test_messages_in_pubsub_become_rows_in_bigquery(
    share: float,
    topic: Topic,
    bigquery: Running,
    output: BigQueryOutput,
    prism_binary: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now_ms = time.time_ns() // 1_000_000
    shop = list(LiveShop(5, 20, now_ms - 60_000).until(now_ms))[:EVENTS]
    segments = write_segments(tmp_path / "segments")
    write_whole(tmp_path / "all.ndjson", shop)
    run_batch([str(tmp_path / "all.ndjson")], segments, tmp_path / "batch.duckdb")
    topic.publish(shop)
    inputs = [f"pubsub:{topic.subscription}"]
    plan = Plan(seed=1, share=share)
    with write_proxy(bigquery.endpoints["grpc"], plan) as address:
        monkeypatch.setenv(WRITE_HOST, address)
        with StreamJob(inputs, segments, tmp_path / "live", prism_binary, location=str(output)) as job:
            job.wait_until(topic.is_acknowledged)
            assert job.stop(signal.SIGTERM) == 0
    assert (sum(plan.done.values()) > plan.done["none"] + 3) == (share > 0)
    for table in TABLES:
        if table != MEMBERSHIP_CHANGES:
            expected = same_columns(table, rows_of(DuckDBOutput(str(tmp_path / "batch.duckdb")), table))
            assert same_columns(table, rows_of(output, table)) == expected, table.name
    assert stays_told(rows_of(output, MEMBERSHIP_CHANGES)) == stays(rows_of(output, MEMBERSHIPS))


def rows_of(output: Output, table: Table) -> list[Row]:
    columns = [column.to_pylist() for column in read_table(output, table).columns]
    return comparable(table, list(zip(*columns, strict=True)))


def same_columns(table: Table, rows: list[Row]) -> list[Row]:
    kept = [place for place, name in enumerate(table.column_names()) if name not in DIFFERENT]
    return [tuple(row[place] for place in kept) for row in rows]


def stays(memberships: list[Row]) -> set[Row]:
    return {row[:3] for row in memberships}


def stays_told(changes: list[Row]) -> set[Row]:
    """The memberships that the log tells: told once more often than taken back."""
    names = MEMBERSHIP_CHANGES.column_names()
    of = [names.index(name) for name in ("profile_id", "segment", "at")]
    told: Counter[Row] = Counter()
    for row in changes:
        change = row[names.index("change")]
        told[tuple(row[place] for place in of)] += {"entered": 1, "retracted": -1}.get(str(change), 0)
    return {stay for stay, times in told.items() if times == 1}

"""End to end, live: Pub/Sub in, BigQuery out; the tables are those of a bounded job over the same messages.

Nobody reads the tables to know whether the job is done, since each statement costs the emulator memory for good: the
job tells, by acknowledging a message once all that follows from it is written.
"""

import signal
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from google.cloud.pubsub_v1 import PublisherClient, SubscriberClient

from examples.shop_live.events import LiveShop, write_whole
from pipelines.io.bigquery.service import WRITE_HOST
from pipelines.io.outputs import BigQueryOutput, DuckDBOutput, Output
from pipelines.io.tables.read_back import read_table
from schemas.tables import (
    ACCOUNTS,
    DELETIONS,
    FAILED_EVENTS,
    MEMBERSHIP_CHANGES,
    MEMBERSHIPS,
    RETRACTIONS,
    TABLES,
    Table,
)
from services.pubsub import count_unacknowledged
from services.service import Running
from tests.integration.bigquery_place import comparable
from tests.integration.stream_jobs import StreamJob, run_batch, write_segments
from tests.io.faults import Plan, write_proxy

pytest_plugins = ("tests.integration.bigquery_fixtures",)

EVENTS = 600
DIFFERENT = {"recorded_at", "version", "completed_at", "source", "attributes"}
"""What a stream and a bounded job need not have in common."""
REQUESTS_BEFORE_DEATH = 8
MAY_BE_EMPTY = {ACCOUNTS, DELETIONS, FAILED_EVENTS, RETRACTIONS}
"""Few visitors of the shop ask for that, few messages are broken, none is taken back, and none is of a company."""
NOT_EQUAL = {MEMBERSHIP_CHANGES}
"""The log of a stream tells what was taken back, too."""

Row = tuple[object, ...]


class Topic(NamedTuple):
    """A topic with one subscription."""

    name: str
    subscription: str
    server: Running

    def publish(self, messages: list[bytes]) -> list[str]:
        """Returns the messages' ids."""
        with PublisherClient() as publisher:
            under_way = [publisher.publish(self.name, message) for message in messages]
            message_ids = [str(sent.result(30)) for sent in under_way]
            publisher.stop()
        return message_ids

    def deliver_again(self, message_ids: list[str]) -> None:
        """Ends the first leases. This server names a lease by the message and the number of its deliveries."""
        ack_ids = [f"{message_id}:1" for message_id in message_ids]
        with SubscriberClient() as subscriber:
            subscriber.modify_ack_deadline(
                subscription=self.subscription, ack_ids=ack_ids, ack_deadline_seconds=0, timeout=30
            )

    def is_acknowledged(self) -> bool:
        """Whether every message is."""
        return count_unacknowledged(self.server, self.name) == 0


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


class Shop(NamedTuple):
    """What visitors did in the last minute, the rules, and what a bounded job makes of both."""

    messages: list[bytes]
    segments: Path
    batch: DuckDBOutput


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    now_ms = time.time_ns() // 1_000_000
    messages = list(LiveShop(5, 20, now_ms - 60_000).until(now_ms))[:EVENTS]
    segments, batch = write_segments(tmp_path / "segments"), tmp_path / "batch.duckdb"
    write_whole(tmp_path / "all.ndjson", messages)
    run_batch([str(tmp_path / "all.ndjson")], segments, batch)
    return Shop(messages, segments, DuckDBOutput(str(batch)))


@pytest.fixture
def plan(request: pytest.FixtureRequest) -> Plan:
    """Faults for the share of the requests that the test names, else none."""
    return Plan(seed=1, share=getattr(request, "param", 0.0))


@pytest.fixture
def start(
    topic: Topic,
    shop: Shop,
    plan: Plan,
    bigquery: Running,
    output: BigQueryOutput,
    prism_binary: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[[], StreamJob]]:
    """Starts the job, which writes through the proxy."""
    inputs, log = [f"pubsub:{topic.subscription}"], tmp_path / "live"
    with write_proxy(bigquery.endpoints["grpc"], plan) as address:
        monkeypatch.setenv(WRITE_HOST, address)
        yield lambda: StreamJob(inputs, shop.segments, log, prism_binary, location=str(output))


@pytest.mark.parametrize("plan", [0.0, 0.3], ids=["no faults", "faults"], indirect=True)
def test_messages_in_pubsub_become_rows_in_bigquery(
    start: Callable[[], StreamJob], topic: Topic, shop: Shop, plan: Plan, output: BigQueryOutput
) -> None:
    topic.publish(shop.messages)
    with start() as job:
        job.wait_until(topic.is_acknowledged)
        assert job.stop(signal.SIGTERM) == 0
    assert (sum(plan.done.values()) - plan.done["none"] > 3) == (plan.share > 0)
    expect_equal(output, shop.batch)


def test_a_job_that_is_killed_while_it_writes_is_made_good_by_the_next(
    start: Callable[[], StreamJob], topic: Topic, shop: Shop, plan: Plan, output: BigQueryOutput
) -> None:
    """The next one knows nothing of it, and counts versions from the beginning."""
    message_ids = topic.publish(shop.messages)
    with start() as job:
        job.wait_until(lambda: sum(plan.done.values()) >= REQUESTS_BEFORE_DEATH)
        job.kill()
    assert not topic.is_acknowledged()
    topic.deliver_again(message_ids)
    with start() as job:
        job.wait_until(topic.is_acknowledged)
        assert job.stop(signal.SIGTERM) == 0
    expect_equal(output, shop.batch)


def expect_equal(output: BigQueryOutput, batch: DuckDBOutput) -> None:
    for table in TABLES:
        if table not in NOT_EQUAL:
            expected = same_columns(table, rows_of(batch, table))
            assert same_columns(table, rows_of(output, table)) == expected, table.name
            assert expected or table in MAY_BE_EMPTY, table.name
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

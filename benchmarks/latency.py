"""How soon a change is told: events from Kafka at a steady rate, the time from publishing to the change.

Every tenth event is the first view of a new visitor, who so enters the segment; these are timed. The others are of a
pool of visitors who come again and again.
"""

from __future__ import annotations

import json
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from subprocess import Popen
from typing import NamedTuple

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from benchmarks.definitions import write_segments
from benchmarks.jobs import ask, running, stream_job, wait_until
from services.manager import Manager

WARM_UP_SECONDS = 5.0
POOL = 500
NEW_VISITOR_EVERY = 10
STEP_SECONDS = 0.01
MEASURED_FROM = 1_000_000
"""The number of the first event after the warm-up."""
SEEN = "when: event('Product Viewed').count() >= 1\n"
ENTERED = "SELECT profile_id, epoch_us(recorded_at) FROM membership_changes WHERE segment = 'seen' AND cause = 'event'"


class Contender(NamedTuple):
    """A job that runs, and who has entered so far, with the time at which that was told, in microseconds."""

    job: Popen[bytes]
    told: Callable[[], dict[str, int]]


def measure_latency(rate: int, seconds: float, segments: int, folder: Path, prism: Path) -> None:
    """Prints percentiles of the time from publishing an event to telling the change that it made."""
    print(f"{f'publish to change, {rate:,} events/s':<52}{'p50':>9}   {'p90':>9}   {'p99':>9}", flush=True)
    with tempfile.TemporaryDirectory() as state:
        manager = Manager(state=Path(state))
        brokers = manager.up("kafka").endpoints["broker"]
        try:
            for name, start in _contenders(segments, folder, prism).items():
                waited = _measured(start, brokers, rate, seconds)
                quantiles = "".join(f"{waited[len(waited) * share // 100]:>9,.0f} ms" for share in (50, 90, 99))
                print(f"{name:<52}{quantiles}", flush=True)
        finally:
            manager.down("kafka")


Start = Callable[[str, str], AbstractContextManager[Contender]]


def _contenders(segments: int, folder: Path, prism: Path) -> dict[str, Start]:
    """By the name that is printed: what starts a contender with the brokers and the topic."""

    @contextmanager
    def ours(brokers: str, topic: str, others: int) -> Iterator[Contender]:
        rules, output = folder / f"seen-and-{others}", folder / f"latency-{others}.duckdb"
        write_segments(rules, others)
        (rules / "seen.yaml").write_text(SEEN)
        with stream_job(["--input", f"kafka:{brokers}/{topic}"], rules, output, prism) as job:
            wait_until(job, output.exists)
            yield Contender(job, lambda: {who.removeprefix("anon:"): at for who, at in ask(output, ENTERED)})

    @contextmanager
    def idiomatic(brokers: str, topic: str) -> Iterator[Contender]:
        told = folder / "idiomatic.txt"
        told.touch()
        arguments = [brokers, topic, str(prism), str(told)]
        with running("benchmarks.idiomatic_latency", arguments, folder / "idiomatic.log") as job:
            yield Contender(job, lambda: {who: int(at) for who, at in map(str.split, told.read_text().splitlines())})

    return {
        "Tidemark, 1 segment, all tables": lambda brokers, topic: ours(brokers, topic, 0),
        f"Tidemark, {segments + 1} segments, all tables": lambda brokers, topic: ours(brokers, topic, segments),
        "Beam as one would write it, one rule": idiomatic,
    }


def _measured(start: Start, brokers: str, rate: int, seconds: float) -> list[float]:
    """Milliseconds from publishing to telling, sorted: of each new visitor after the warm-up."""
    topic = f"latency-{uuid.uuid4().hex[:8]}"
    admin = AdminClient({"bootstrap.servers": brokers})
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(30)
    with start(brokers, topic) as (job, told):
        warm_up = publish_steadily(brokers, topic, rate, WARM_UP_SECONDS, 0)
        wait_until(job, lambda: told().keys() >= warm_up.keys())
        published = publish_steadily(brokers, topic, rate, seconds, MEASURED_FROM)
        wait_until(job, lambda: told().keys() >= published.keys())
        found = told()
    return sorted((found[who] - at_us) / 1_000 for who, at_us in published.items())


def publish_steadily(brokers: str, topic: str, rate: int, seconds: float, first: int) -> dict[str, int]:
    """Publishes views of products, numbered from `first`; when each new visitor's was published, in microseconds."""
    producer = Producer({"bootstrap.servers": brokers, "linger.ms": 0})
    published: dict[str, int] = {}
    started, next_number = time.perf_counter(), first
    while (elapsed := time.perf_counter() - started) < seconds:
        while next_number < first + int(elapsed * rate):
            is_new = next_number % NEW_VISITOR_EVERY == 0
            visitor = f"new-{next_number}" if is_new else f"known-{next_number % POOL}"
            now_us = time.time_ns() // 1_000
            if is_new:
                published[visitor] = now_us
            producer.produce(topic, view_of(f"m-{next_number}", visitor, now_us))
            next_number += 1
        producer.poll(0)
        time.sleep(STEP_SECONDS)
    producer.flush(30)
    return published


def view_of(message_id: str, visitor: str, at_us: int) -> bytes:
    """A product was viewed."""
    at = datetime.fromtimestamp(at_us / 1_000_000, UTC).isoformat()
    message = {
        "messageId": message_id,
        "type": "track",
        "event": "Product Viewed",
        "anonymousId": visitor,
        "properties": {"product_id": "p_001", "name": "Trail Runner", "category": "shoes", "price": 89.0},
        "context": {"page": {"url": "https://shop.example.com/shoes/trail-runner"}, "device": {"type": "mobile"}},
        "timestamp": at,
    }
    return json.dumps(message).encode()

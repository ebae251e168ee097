"""What a job may say about its unbounded inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pipelines.io.stream.watermark import MICROSECONDS_PER_SECOND, WatermarkPolicy
from transforms.parse.violations import Epoch


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """Settings of all unbounded inputs of a job.

    Args:
        out_of_orderness_seconds: how far behind the latest event time an event may come without being late.
        idle_timeout_seconds: an empty partition stops holding the watermark after this long.
        poll_seconds: how long one read of Kafka waits for a first record.
        linger_seconds: how long it goes on after the first one. At 1,000 records a second on Prism it read 20 times a
            second without, and the bundles were in each other's way: the median from publishing to a change was 450 ms;
            it is 150 ms with a tenth of a second.
        pull_seconds: how long one read of Pub/Sub does. A pull that is given up too early may leave messages leased.
        max_poll_records: records of one bundle, at most.
        max_poll_bytes: bytes of one bundle, about.
        refresh_seconds: how often new Kafka partitions are looked for.
        watch_seconds: how often new files are looked for.
        group: Kafka consumer group, where the location names none.
        kafka_readers: parallel readers of a topic; partitions are dealt out among them. 0: one per partition.
        kafka_settings: more settings of the Kafka client (librdkafka's names), such as those of SASL and TLS.
        ack_deadline_seconds: Pub/Sub holds a message back from others for this long, while its bundle is in work.
        files_read: watched files that were read before: path -> bytes that were read.
        watch_journal: a local file in which acknowledged files are noted, for the next start; "" for none.
        positions_folder: a local folder in which it is kept how far sources were read that keep no place themselves
            (Kinesis), for the next start; "" for none.
        acknowledge: when a batch needs not come again. "bundle": when the runner has made its bundle durable (Flink,
            Dataflow). "written": when `AcknowledgeWritten` sees that everything read up to then is in the output (for
            runners that keep bundles in memory, such as Prism).
        epoch: what a bare number as an instant counts since the epoch; None: it is no instant.
        max_in_flight: with "written", a Kafka reader pauses while this many records wait to be written.
    """

    out_of_orderness_seconds: float = 10.0
    idle_timeout_seconds: float = 30.0
    poll_seconds: float = 0.2
    linger_seconds: float = 0.1
    pull_seconds: float = 2.0
    max_poll_records: int = 15_000
    max_poll_bytes: int = 16_000_000
    refresh_seconds: float = 5.0
    watch_seconds: float = 1.0
    group: str = "tidemark"
    kafka_readers: int = 1
    kafka_settings: Mapping[str, str] = field(default_factory=dict)
    ack_deadline_seconds: int = 120
    files_read: Mapping[str, int] = field(default_factory=dict)
    watch_journal: str = ""
    positions_folder: str = ""
    acknowledge: Literal["bundle", "written"] = "bundle"
    max_in_flight: int = 100_000
    epoch: Epoch | None = None

    @property
    def watermark_policy(self) -> WatermarkPolicy:
        return WatermarkPolicy(
            round(self.out_of_orderness_seconds * MICROSECONDS_PER_SECOND),
            round(self.idle_timeout_seconds * MICROSECONDS_PER_SECOND),
        )

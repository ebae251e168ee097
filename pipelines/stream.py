"""The graph of the unbounded job: messages -> parse -> deduplicate -> identity -> profiles and segments -> updates."""

import time
from collections.abc import Iterator
from typing import Any, Literal, TypeAlias

import apache_beam as beam
from apache_beam.pvalue import TaggedOutput
from apache_beam.transforms.periodicsequence import PeriodicImpulse
from apache_beam.typehints.decorators import no_annotations
from apache_beam.utils.timestamp import Timestamp

from pipelines.live_runner import keeps_no_state
from pipelines.options import ProfilesOptions
from pipelines.stream_options import LOCAL_SHELVES
from pipelines.watched_rules import WatchedRules
from schemas import failure_reasons
from schemas.event import TIMESTAMP, Event, Failure
from schemas.message import Message
from schemas.update import pack_updates
from transforms import counting
from transforms.parse import EventParser
from transforms.stream.group import Keyed
from transforms.stream.maintain import MaintainTables, keyed_record
from transforms.stream.rows import failure_update
from transforms.stream.settings import DEFAULT_BUCKETS, StreamSettings

Outputs: TypeAlias = TaggedOutput[Literal["records"], Keyed] | TaggedOutput[Literal["failed"], bytes]


def build_stream(
    pipeline: beam.Pipeline, messages: beam.PCollection[Message], options: ProfilesOptions
) -> beam.PCollection[bytes]:
    """Adds everything between the messages and the tables.

    Updates come packed (schemas/update.py); they may be written again and in any order.
    """
    settings = StreamSettings(
        rules=WatchedRules.of(options),
        clock=wall_clock_us,
        allowed_lateness_us=options.stream.allowed_lateness_us,
        stitch_window_us=options.stitch_window_us,
        max_merges=options.max_merges,
        buckets=_shelves(options),
    )
    ticks = pipeline | "Refresh" >> PeriodicImpulse(fire_interval=options.stream.refresh_us / 1_000_000)
    return messages | "FollowMessages" >> FollowMessages(options.parser(), settings, ticks)


def _shelves(options: ProfilesOptions) -> int:
    """How many shelves a stage has, where the command line does not say."""
    default = LOCAL_SHELVES if keeps_no_state(options.beam_arguments) else DEFAULT_BUCKETS
    return options.stream.shelves or default


class FollowMessages(beam.PTransform):
    """Messages in, updates of the rows of all tables out, packed (schemas/update.py)."""

    def __init__(
        self, parser: EventParser, settings: StreamSettings, ticks: beam.PCollection[Any] | None = None
    ) -> None:
        super().__init__()
        self._parser = parser
        self._settings = settings
        self._ticks = ticks

    @no_annotations
    def expand(self, messages: beam.PCollection[Message]) -> beam.PCollection[bytes]:
        settings = self._settings
        parse = beam.ParDo(_ParseMessages(self._parser, settings.allowed_lateness_us, settings.buckets))
        parsed = messages | "ParseMessages" >> parse.with_outputs("records", "failed")
        rows = parsed.records | "MaintainTables" >> MaintainTables(settings, self._ticks)
        return (rows, parsed.failed) | "AllRows" >> beam.Flatten()


class _ParseMessages(beam.DoFn):
    def __init__(self, parser: EventParser, allowed_lateness_us: int, buckets: int) -> None:
        self._parser = parser
        self._buckets = buckets
        self._allowed_lateness_us = allowed_lateness_us

    def start_bundle(self) -> None:
        self._read = 0

    def process(self, message: Message, at: Timestamp = beam.DoFn.TimestampParam) -> Iterator[Outputs]:
        self._read += 1
        parsed = self._parser.parse(message.raw, message.source, message.attributes)
        if isinstance(parsed, Failure):
            yield TaggedOutput("failed", pack_updates([failure_update(parsed)]))
        elif parsed[TIMESTAMP] < at.micros - self._allowed_lateness_us:
            # An element's time is its event's, but never before the watermark: how far apart they are is how late it is
            yield TaggedOutput("failed", pack_updates([failure_update(_too_late(parsed, message))]))
        else:
            record = (*parsed, message.raw, message.source)
            yield TaggedOutput("records", keyed_record(record, self._buckets))

    def finish_bundle(self) -> None:
        counting.count(counting.READ, self._read)
        for name, occurrences in self._parser.unplanned_counts.items():
            counting.count(counting.UNPLANNED + name, occurrences)
        self._parser.unplanned_counts.clear()


def _too_late(event: Event, message: Message) -> Failure:
    error = "/timestamp: expected an event no older than the allowed lateness"
    return Failure(
        failure_reasons.TOO_LATE,
        (error,),
        "deduplicate",
        event.message_id,
        message.raw,
        message.attributes,
        message.source,
        event.received_at,
    )


def wall_clock_us() -> int:
    """The present: when a row was written. No result depends on it."""
    return time.time_ns() // 1_000

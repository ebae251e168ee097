"""The graph of the unbounded job: messages -> parse -> deduplicate -> identity -> profiles and segments -> updates."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import apache_beam as beam
from apache_beam.transforms.periodicsequence import PeriodicImpulse
from apache_beam.transforms.window import GlobalWindow
from apache_beam.typehints.decorators import no_annotations
from apache_beam.utils.timestamp import MAX_TIMESTAMP, Timestamp
from apache_beam.utils.windowed_value import WindowedValue

from pipelines.boot.run import TakenIn
from pipelines.io.stream.found_records import failure_of as failure_of_message
from pipelines.options.profiles import ProfilesOptions
from pipelines.options.stream import LOCAL_SHELVES
from pipelines.stream_runner import is_apart, keeps_no_state
from pipelines.watched_rules import WatchedRules
from schemas import failure_reasons
from schemas.event import Failure
from schemas.message import Message
from schemas.stamp import earlier
from transforms import counting
from transforms.deduplicate.copies import RETRACT, failure_of, record_of
from transforms.failed_events import count_failures
from transforms.lag import came_in_us
from transforms.parse import EventParser
from transforms.records import Record
from transforms.state.outbox import Keyed
from transforms.state.shelf_dofn import TIMESTAMP_PARAM
from transforms.stream.maintain import MaintainTables, keyed_records
from transforms.stream.settings import DEFAULT_BUCKETS, StreamSettings


def build_stream(
    pipeline: beam.Pipeline,
    messages: Sequence[beam.PCollection[Message]],
    options: ProfilesOptions,
    taken_in: TakenIn | None = None,
) -> beam.PCollection[bytes]:
    """Adds everything between the messages, by source, and the tables.

    Updates come packed (schemas/update.py); they may be written again and in any order. `taken_in`: the history that
    the stream begins with.
    """
    settings = replace(stream_settings(options), boot=None if taken_in is None else taken_in.shelves)
    ticks = pipeline | "Refresh" >> PeriodicImpulse(fire_interval=options.stream.refresh_us / 1_000_000)
    follow = FollowMessages(options.parser(), settings, ticks)
    if taken_in is not None:
        counts = pipeline | "TakenIn" >> beam.Create(list(taken_in.counters.items()), reshuffle=False)
        _ = counts | "CountTakenIn" >> beam.MapTuple(counting.count)
    updates: beam.PCollection[bytes] = tuple(messages) | "FollowMessages" >> follow
    return updates


def stream_settings(options: ProfilesOptions) -> StreamSettings:
    """What a job's options say to the stages."""
    return StreamSettings(
        rules=WatchedRules.of(options),
        clock=wall_clock_us,
        allowed_lateness_us=options.stream.allowed_lateness_us,
        stitch_window_us=options.stitch_window_us,
        max_merges=options.max_merges,
        buckets=_shelves(options),
        apart=is_apart(options.beam_arguments),
        archive=options.stream.archive,
    )


def _shelves(options: ProfilesOptions) -> int:
    """How many shelves a stage has, where the command line does not say."""
    default = LOCAL_SHELVES if keeps_no_state(options.beam_arguments) else DEFAULT_BUCKETS
    return options.stream.shelves or default


_TOO_LATE = "/timestamp: expected an event no older than the allowed lateness"


class FollowMessages(beam.PTransform[Sequence[beam.PCollection[Message]], beam.PCollection[bytes]]):
    """Messages in, updates of the rows of all tables out, packed (schemas/update.py).

    Takes one PCollection of messages, or a tuple of them: one per source. What is parsed beside its source need not
    travel as single messages.
    """

    def __init__(
        self, parser: EventParser, settings: StreamSettings, ticks: beam.PCollection[Any] | None = None
    ) -> None:
        super().__init__()
        self._parser = parser
        self._settings = settings
        self._ticks = ticks

    @no_annotations
    def expand(self, messages: Sequence[beam.PCollection[Message]]) -> beam.PCollection[bytes]:
        parse = beam.ParDo(
            _ParseMessages(self._parser, self._settings.allowed_lateness_us, self._settings.buckets)
        ).with_output_types(Keyed)
        sources = [messages] if isinstance(messages, beam.PCollection) else list(messages)
        parsed = [source | f"ParseMessages{number or ''}" >> parse for number, source in enumerate(sources)]
        records = parsed | "AllRecords" >> beam.Flatten()
        rows: beam.PCollection[bytes] = records | "MaintainTables" >> MaintainTables(self._settings, self._ticks)
        return rows


class _ParseMessages(beam.DoFn):
    """What a bundle has read goes on when it ends: by shelf of the next stage, at the earliest of its times."""

    def __init__(self, parser: EventParser, allowed_lateness_us: int, buckets: int) -> None:
        self._parser = parser
        self._buckets = buckets
        self._allowed_lateness_us = allowed_lateness_us

    def start_bundle(self) -> None:
        self._read = 0
        self._records: list[Record] = []
        self._failed: list[Failure] = []
        self._at_us = MAX_TIMESTAMP.micros
        self._came_us = 0

    def process(self, message: Message, at: Timestamp = TIMESTAMP_PARAM) -> Iterator[Keyed]:
        self._read += 1
        at_us = at.micros
        self._at_us = min(self._at_us, at_us)
        unreadable = failure_of_message(message)
        parsed = unreadable or self._parser.parse(message.raw, message.source, message.attributes)
        if message.came_us:
            self._came_us = earlier(self._came_us, came_in_us(message.came_us, parsed.received_at))
        if isinstance(parsed, Failure):
            self._failed.append(parsed)
            return iter(())
        record = record_of(parsed, message.raw, message.source, message.attributes)
        if parsed.type != RETRACT and parsed.timestamp < at_us - self._allowed_lateness_us:
            # An element's time is its event's, but never before the watermark: how far apart they are is how late it is
            self._failed.append(failure_of(record, failure_reasons.TOO_LATE, _TOO_LATE, "deduplicate"))
        else:
            self._records.append(record)
        return iter(())

    def finish_bundle(self) -> Iterator[Any]:
        counting.count(counting.READ, self._read)
        counting.count_parsed(self._parser)
        at = Timestamp(micros=self._at_us)
        count_failures(self._failed)
        for keyed in keyed_records(self._records, self._buckets, self._failed, self._came_us):
            yield WindowedValue(keyed, at, (GlobalWindow(),))


def wall_clock_us() -> int:
    """The present: when a row was written. No result depends on it."""
    return time.time_ns() // 1_000

"""Parses messages in a pipeline: bytes in, blocks of events by bucket of message id and rows of failed_events out.

Comes after a source, before DeduplicateEvents. A bundle's messages are parsed into blocks together: a runner's cost per
element is paid once for thousands of events.
"""

from collections.abc import Iterator
from typing import Literal, NamedTuple, TypeAlias

import apache_beam as beam
from apache_beam.pvalue import TaggedOutput
from apache_beam.transforms.window import GlobalWindow, GlobalWindows
from apache_beam.typehints.decorators import no_annotations
from apache_beam.utils.windowed_value import WindowedValue

from schemas.block import TableBlock
from schemas.event import Event, Failure
from schemas.message import Message
from transforms import counting
from transforms.deduplicate.copies import record_of
from transforms.failed_events import count_failures, failed_events_block
from transforms.parse.events import EventParser
from transforms.records import Buckets

Parsed = TaggedOutput[Literal["events"], tuple[int, bytes]]
Failed = TaggedOutput[Literal["failed"], TableBlock]
Outputs: TypeAlias = Parsed | Failed


class ParsedEvents(NamedTuple):
    """Blocks of (event, bytes, source), keyed by bucket of message id; rows of failed_events."""

    events: beam.PCollection[tuple[int, bytes]]
    failed: beam.PCollection[TableBlock]


class ParseEvents(beam.PTransform[beam.PCollection[Message], ParsedEvents]):
    """Every message parsed: a good one is an event, any other a row of `failed_events` with its bytes.

    Args:
        parser: what an event must be.
        buckets: how many buckets of message ids there are.
    """

    def __init__(self, parser: EventParser, buckets: int) -> None:
        super().__init__()
        self._parser = parser
        self._buckets = buckets

    @no_annotations
    def expand(self, messages: beam.PCollection[Message]) -> ParsedEvents:
        outputs = (
            messages
            | "Globally" >> beam.WindowInto(GlobalWindows())
            | "Parse" >> beam.ParDo(_ParseMessages(self._parser, self._buckets)).with_outputs(*ParsedEvents._fields)
        )
        return ParsedEvents(outputs.events, outputs.failed)


class _ParseMessages(beam.DoFn):
    def __init__(self, parser: EventParser, buckets: int) -> None:
        self._parser = parser
        self._count = buckets

    def start_bundle(self) -> None:
        self._buckets = Buckets(self._count)
        self._failures: list[Failure] = []

    def process(self, message: Message) -> None:
        parsed = self._parser.parse(message.raw, message.source, dict(message.attributes))
        counting.count(counting.READ)
        if isinstance(parsed, Event):
            self._buckets.add(parsed.message_id, record_of(parsed, message.raw, message.source, message.attributes))
            if parsed.type == "retract":
                self._buckets.add_retracted(parsed.previous_id)
        else:
            self._failures.append(parsed)

    @no_annotations
    def finish_bundle(self) -> Iterator[TaggedOutput[str, WindowedValue]]:
        counting.count_parsed(self._parser)
        window = GlobalWindow()
        for block in self._buckets.blocks():
            yield TaggedOutput("events", WindowedValue(block, window.max_timestamp(), (window,)))
        if self._failures:
            count_failures(self._failures)
            rows = failed_events_block(self._failures)
            yield TaggedOutput("failed", WindowedValue(rows, window.max_timestamp(), (window,)))

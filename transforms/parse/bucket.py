"""Parses messages in a pipeline: bytes in, blocks of events (blocks.py) and rows of failed_events out.

Comes after a source, before DeduplicateEvents. A bundle's messages are parsed into blocks together: a runner's cost per
element is paid once for thousands of events.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import apache_beam as beam
from apache_beam.pvalue import TaggedOutput
from apache_beam.transforms.window import GlobalWindow, GlobalWindows
from apache_beam.typehints.decorators import no_annotations
from apache_beam.utils.windowed_value import WindowedValue

from schemas.block import TableBlock
from schemas.event import Event, Failure
from schemas.message import Message
from transforms import counting
from transforms.failed_events import count_failures, failed_events_block
from transforms.parse.blocks import EventBlocks, EventCollector
from transforms.parse.events import EventParser

OUTPUTS = (*EventBlocks._fields, "failed")
"""The tags of a DoFn that parses."""


class ParsedEvents(NamedTuple):
    """Blocks of events, and rows of failed_events."""

    events: EventBlocks
    failed: beam.PCollection[TableBlock]


def parsed_events(outputs: Any) -> ParsedEvents:
    """What a DoFn with OUTPUTS gave."""
    return ParsedEvents(EventBlocks(*(outputs[name] for name in EventBlocks._fields)), outputs.failed)


def unite(sources: Sequence[ParsedEvents]) -> ParsedEvents:
    """What several sources gave, together. One stays as it is: to unite costs every event a hop."""
    if len(sources) == 1:
        return sources[0]
    of_kind = zip(EventBlocks._fields, zip(*(source.events for source in sources), strict=True), strict=True)
    events = EventBlocks(*(tuple(kind) | f"Unite {name}" >> beam.Flatten() for name, kind in of_kind))
    return ParsedEvents(events, tuple(source.failed for source in sources) | "Unite failed" >> beam.Flatten())


class ParseEvents(beam.PTransform[beam.PCollection[Message], ParsedEvents]):
    """Every message parsed: a good one is an event, any other a row of `failed_events` with its bytes.

    Args:
        parser: what an event must be.
        buckets: how many buckets of users and of devices there are.
    """

    def __init__(self, parser: EventParser, buckets: int) -> None:
        super().__init__()
        self._parser = parser
        self._buckets = buckets

    @no_annotations
    def expand(self, messages: beam.PCollection[Message]) -> ParsedEvents:
        return parsed_events(
            messages
            | "Globally" >> beam.WindowInto(GlobalWindows())
            | "Parse" >> beam.ParDo(_ParseMessages(self._parser, self._buckets)).with_outputs(*OUTPUTS)
        )


class _ParseMessages(beam.DoFn):
    def __init__(self, parser: EventParser, buckets: int) -> None:
        self._parser = parser
        self._buckets = buckets

    def start_bundle(self) -> None:
        self._collector = EventCollector(self._buckets)
        self._failures: list[Failure] = []

    def process(self, message: Message) -> None:
        parsed = self._parser.parse(message.raw, message.source, dict(message.attributes))
        counting.count(counting.READ)
        if isinstance(parsed, Event):
            self._collector.add(parsed, message.raw, message.source, message.attributes)
        else:
            self._failures.append(parsed)

    @no_annotations
    def finish_bundle(self) -> Iterator[TaggedOutput[str, WindowedValue]]:
        window = GlobalWindow()
        for tag, element in outputs_of(self._collector, self._failures, self._parser):
            yield TaggedOutput(tag, WindowedValue(element, window.max_timestamp(), (window,)))


def outputs_of(collector: EventCollector, failures: list[Failure], parser: EventParser) -> Iterator[tuple[str, Any]]:
    """(tag, element) of everything that some messages came to; counts it."""
    counting.count_parsed(parser)
    yield from collector.blocks()
    if failures:
        count_failures(failures)
        yield "failed", failed_events_block(failures)

"""Messages of a source that ends, such as Kafka with `until=now`, as the input of a bounded job.

Stands beside ReadFiles, first in a job's graph. A bundle's messages are parsed into blocks together.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import apache_beam as beam
from apache_beam.pvalue import TaggedOutput
from apache_beam.transforms.window import GlobalWindow
from apache_beam.typehints.decorators import no_annotations
from apache_beam.utils.windowed_value import WindowedValue

from pipelines.io.files.read_files import ParsedEvents
from pipelines.io.locations import KafkaInput
from pipelines.io.stream.read_sources import ReadMessages
from pipelines.io.stream.source_options import SourceOptions
from schemas.event import Event, Failure
from schemas.message import Message
from transforms import counting
from transforms.deduplicate.copies import record_of
from transforms.failed_events import count_failures, failed_events_block
from transforms.parse import EventParser
from transforms.records import Buckets


class ReadTopics(beam.PTransform):
    """Every message of the topics up to the offsets found at start, parsed.

    Always from the first one, whatever a group has committed: a bounded job that runs again leaves the same tables.
    """

    def __init__(self, locations: Sequence[KafkaInput], parser: EventParser, buckets: int) -> None:
        super().__init__()
        self._locations = [replace(location, from_first=True) for location in locations]
        self._parser = parser
        self._buckets = buckets

    @no_annotations
    def expand(self, begin: beam.pvalue.PBegin) -> ParsedEvents:
        outputs = (
            (begin.pipeline | "Read" >> ReadMessages(self._locations, SourceOptions())).unite()
            | "Globally" >> beam.WindowInto(beam.window.GlobalWindows())
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
    def finish_bundle(self) -> Iterator[TaggedOutput]:
        counting.count_parsed(self._parser)
        window = GlobalWindow()
        for block in self._buckets.blocks():
            yield TaggedOutput("events", WindowedValue(block, window.max_timestamp(), [window]))
        if self._failures:
            count_failures(self._failures)
            rows = failed_events_block(self._failures)
            yield TaggedOutput("failed", WindowedValue(rows, window.max_timestamp(), [window]))

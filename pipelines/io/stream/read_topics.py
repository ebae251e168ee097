"""Messages of a source that ends, such as Kafka with `until=now`, as the input of a bounded job.

Stands beside ReadFiles, first in a job's graph.
"""

from collections.abc import Sequence
from dataclasses import replace

import apache_beam as beam
from apache_beam.typehints.decorators import no_annotations

from pipelines.io.locations import KafkaInput
from pipelines.io.stream.read_sources import ReadMessages
from pipelines.io.stream.source_options import SourceOptions
from transforms.parse import EventParser
from transforms.parse.bucket import ParsedEvents, ParseEvents


class ReadTopics(beam.PTransform[beam.pvalue.PBegin, ParsedEvents]):
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
        messages = (begin.pipeline | "Read" >> ReadMessages(self._locations, SourceOptions())).unite()
        parsed: ParsedEvents = messages | "Parse" >> ParseEvents(self._parser, self._buckets)
        return parsed

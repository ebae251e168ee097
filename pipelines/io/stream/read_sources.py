"""Unbounded inputs as one PCollection of messages.

An element's time lies between the watermark and the record's arrival, so that no runner drops it for being late; the
event's own time is in its bytes. Delivery is at least once: what was read and not acknowledged comes again, and is
known by its messageId.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import apache_beam as beam
from apache_beam.io.gcp.pubsub import PubsubMessage, ReadFromPubSub
from apache_beam.options.pipeline_options import StandardOptions

from pipelines.io.files.watch import WatchSource
from pipelines.io.kafka.source import KafkaSource
from pipelines.io.kinesis.address import KinesisInput
from pipelines.io.locations import (
    InputLocation,
    KafkaInput,
    PubSubInput,
    WatchInput,
)
from pipelines.io.pubsub.source import PubSubSource
from pipelines.io.rabbitmq.address import RabbitMQInput
from pipelines.io.stream.acknowledge import AcknowledgeWritten
from pipelines.io.stream.message_coder import MessageCoder
from pipelines.io.stream.read_stream import RECEIPTS, ReadStream
from pipelines.io.stream.source import StreamSource, now_us
from pipelines.io.stream.source_options import SourceOptions
from schemas.message import Message
from transforms import counting
from transforms.parse import split_body

beam.coders.registry.register_coder(Message, MessageCoder)

_JOURNAL = "journal"
_KINDS = {
    **{kind: kind for kind in ("amqp", "bigquery", "duckdb", "kafka", "kinesis", "pubsub", "watch")},
    "amqps": "amqp",
}


class ReadResult(NamedTuple):
    """What `ReadMessages` gives: each source's messages, and what `acknowledge_written` wants to know of them."""

    of_sources: list[beam.PCollection[Message]]
    receipts: beam.PCollection[tuple[int, bytes]]

    def unite(self) -> beam.PCollection[Message]:
        """The messages of all sources."""
        united: beam.PCollection[Message] = self.of_sources | "UniteMessages" >> beam.Flatten(
            pipeline=self.receipts.pipeline
        )
        return united


def read_messages(
    pipeline: beam.Pipeline, locations: Sequence[InputLocation], options: SourceOptions
) -> beam.PCollection[Message]:
    """Unites the unbounded inputs of a job, acknowledged when their bundles are durable.

    Args:
        pipeline: the job's pipeline.
        locations: parsed inputs; what is read once (files, tables) is left to the bounded readers. Kafka with
            `until=now` is read here, though it ends.
        options: settings of the sources.

    Raises:
        InputError: an input does not exist or does not answer.
    """
    result: ReadResult = pipeline | "ReadMessages" >> ReadMessages(locations, options)
    return result.unite()


class ReadMessages(beam.PTransform[Any, Any]):
    """Reads the unbounded inputs among `locations`. See `read_messages`.

    With `acknowledge="written"` in the options, also apply `acknowledge_written` to the result:

        reading = ReadMessages(locations, options)
        read = pipeline | reading
        written = read.unite() | ... | WriteTables(...)
        (read.receipts, written) | reading.acknowledge_written()
    """

    def __init__(self, locations: Sequence[InputLocation], options: SourceOptions) -> None:
        super().__init__()
        self._options = options
        self._sources = [source for location in locations if (source := make_source(location, options)) is not None]
        self._names = source_names([source.text for source in self._sources])

    def expand(self, pbegin: Any) -> Any:  # a ReadResult; Beam warns where a hint is no PCollection
        messages, receipts = [], []
        for number, (source, name) in enumerate(zip(self._sources, self._names, strict=True)):
            read = pbegin.pipeline | f"Read {number}" >> _ReadSource(source, self._options, name)
            messages.append(read[None])
            receipts.append(
                read[RECEIPTS]
                | f"NameSource {number}" >> beam.Map(_with_number, number).with_output_types(tuple[int, bytes])
            )
        return ReadResult(
            messages,
            receipts | "UniteReceipts" >> beam.Flatten(pipeline=pbegin.pipeline),
        )

    def acknowledge_written(self) -> AcknowledgeWritten:
        """What acknowledges to these sources what was written."""
        return AcknowledgeWritten(self._sources)


class _ReadSource(beam.PTransform[Any, Any]):
    def __init__(self, source: StreamSource, options: SourceOptions, name: str) -> None:
        super().__init__()
        self._source = source
        self._name = name
        self._options = options

    def expand(self, pbegin: Any) -> Any:
        if isinstance(self._source, PubSubSource) and _is_dataflow(pbegin.pipeline):
            return _read_with_service(pbegin.pipeline, self._source, self._name)
        readers = self._source.count_readers()
        numbers = pbegin.pipeline | "Readers" >> beam.Create(
            [(number, readers) for number in range(readers)], reshuffle=readers > 1
        )
        reading = beam.ParDo(ReadStream(self._source, self._options, self._name)).with_output_types(Message)
        return numbers | "ReadStream" >> reading.with_outputs(RECEIPTS)


def source_names(texts: Sequence[str]) -> list[str]:
    """What sources are called in metrics: their kind and which input they are. No address, which may hold a password.

    >>> source_names(["journal", "kafka:shop:9092/events", "watch:in/*.ndjson", "old/*.avro"])
    ['journal', 'kafka-1', 'watch-2', 'files-3']
    """
    inputs = [text for text in texts if text != _JOURNAL]
    names = (f"{_KINDS.get(text.partition(':')[0], 'files')}-{place}" for place, text in enumerate(inputs, 1))
    return [_JOURNAL if text == _JOURNAL else next(names) for text in texts]


def _is_dataflow(pipeline: beam.Pipeline) -> bool:
    return "dataflow" in (pipeline.options.view_as(StandardOptions).runner or "").lower()


def _read_with_service(pipeline: beam.Pipeline, source: PubSubSource, name: str) -> dict[str | None, Any]:
    """Dataflow reads Pub/Sub itself: it acknowledges what its checkpoint holds, and knows how old the backlog is."""
    received = pipeline | "ReadFromPubSub" >> ReadFromPubSub(subscription=source.location.path, with_attributes=True)
    to_message = beam.ParDo(_ToMessage(source.text, name)).with_output_types(Message)
    return {
        None: received | "ToMessage" >> to_message,
        RECEIPTS: pipeline | "NoReceipts" >> beam.Create([]).with_output_types(bytes),
    }


class _ToMessage(beam.DoFn):
    """What the service has read, as messages; counts them at the end of a bundle."""

    def __init__(self, text: str, name: str) -> None:
        self._text = text
        self._counter = counting.MESSAGES_READ + name

    def start_bundle(self) -> None:
        self._read = 0

    def process(self, received: PubsubMessage) -> Iterator[Message]:
        published = received.publish_time
        came_us = now_us() if published is None else round(published.timestamp() * 1_000_000)
        for raw in split_body(received.data or b""):
            self._read += 1
            yield Message(raw, self._text, dict(received.attributes or {}), came_us=came_us)

    def finish_bundle(self) -> None:
        counting.count(self._counter, self._read)


def make_source(location: InputLocation, options: SourceOptions) -> StreamSource | None:
    """The source behind a location; None for one that the bounded readers read."""
    if isinstance(location, KafkaInput):
        return KafkaSource(location, options)
    if isinstance(location, PubSubInput):
        return PubSubSource(location, options)
    if isinstance(location, WatchInput):
        return WatchSource(location, options)
    if isinstance(location, RabbitMQInput):
        from pipelines.io.rabbitmq.source import RabbitMQSource

        return RabbitMQSource(location, options)
    if isinstance(location, KinesisInput):
        from pipelines.io.kinesis.source import KinesisSource

        return KinesisSource(location, options)
    return None


def _with_number(token: bytes, number: int) -> tuple[int, bytes]:
    return number, token

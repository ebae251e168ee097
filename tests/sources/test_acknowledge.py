"""A receipt is acknowledged when what was written has passed it, and not before."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.direct.direct_runner import BundleBasedDirectRunner
from apache_beam.testing.test_stream import TestStream
from apache_beam.transforms.window import TimestampedValue

from pipelines.io.stream.acknowledge import AcknowledgeWritten


@dataclass(frozen=True)
class RecordingSource:
    name: str
    acknowledged: ClassVar[list[str]] = []

    def acknowledge(self, tokens: Sequence[bytes]) -> None:
        self.acknowledged.extend(f"{self.name} {token.decode()}" for token in tokens)


class NoteWritten(beam.DoFn):
    def process(self, element: str) -> None:
        RecordingSource.acknowledged.append(f"wrote {element}")


def run(stream: TestStream) -> list[str]:
    """Runs a stream with the outputs `receipts` and `written`; returns what happened, in order."""
    RecordingSource.acknowledged.clear()
    with beam.Pipeline(BundleBasedDirectRunner(), PipelineOptions(["--streaming"])) as pipeline:
        both = pipeline | stream
        both["written"] | "Note" >> beam.ParDo(NoteWritten())
        receipts = both["receipts"] | beam.Map(lambda receipt: receipt).with_output_types(tuple[int, bytes])
        (receipts, both["written"]) | AcknowledgeWritten([RecordingSource("A"), RecordingSource("B")])
    return RecordingSource.acknowledged


def test_a_receipt_waits_for_the_watermark_of_what_was_written() -> None:
    stream = (
        TestStream()
        .advance_watermark_to(0, tag="receipts")
        .advance_watermark_to(0, tag="written")
        .add_elements([TimestampedValue((0, b"first"), 10)], tag="receipts")
        .advance_watermark_to(50, tag="receipts")
        .add_elements(["x"], tag="written", event_timestamp=5)
        .advance_watermark_to(10, tag="written")
        .add_elements(["y"], tag="written", event_timestamp=10)
        .advance_watermark_to(10.001, tag="written")
        .add_elements(["z"], tag="written", event_timestamp=12)
        .advance_watermark_to(60, tag="receipts")
        .advance_watermark_to(60, tag="written")
        .advance_watermark_to_infinity(tag="receipts")
        .advance_watermark_to_infinity(tag="written")
    )
    assert run(stream) == ["wrote x", "wrote y", "A first", "wrote z"]


def test_each_source_gets_its_own_and_what_is_left_together() -> None:
    receipts = [TimestampedValue((number, b"%d" % at), at) for at in (5, 6, 30) for number in (0, 1)]
    stream = (
        TestStream()
        .advance_watermark_to(0, tag="receipts")
        .advance_watermark_to(0, tag="written")
        .add_elements(receipts, tag="receipts")
        .advance_watermark_to(20, tag="receipts")
        .advance_watermark_to(20, tag="written")
        .add_elements(["x"], tag="written", event_timestamp=25)
        .advance_watermark_to(60, tag="receipts")
        .advance_watermark_to(60, tag="written")
        .advance_watermark_to_infinity(tag="receipts")
        .advance_watermark_to_infinity(tag="written")
    )
    happened = run(stream)
    wrote = happened.index("wrote x")
    assert sorted(happened[:wrote]) == ["A 5", "B 5"]
    assert sorted(happened[wrote + 1 :]) == ["A 30", "A 6", "B 30", "B 6"]
    assert happened.index("A 6") < happened.index("A 30")

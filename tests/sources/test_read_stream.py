"""The splittable DoFn around a source: its tracker's arithmetic, and a whole run over a source in memory."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.util import assert_that, equal_to
from apache_beam.utils.timestamp import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from pipelines.io.locations import parse_input
from pipelines.io.pubsub.source import PubSubSource
from pipelines.io.stream.message_coder import MessageCoder
from pipelines.io.stream.read_sources import make_source
from pipelines.io.stream.read_stream import RECEIPTS, ProgressCoder, ProgressTracker, ReadStream
from pipelines.io.stream.source import Batch, Progress, Reader, Record
from pipelines.io.stream.source_options import SourceOptions
from pipelines.io.stream.watermark import StreamWatermark
from schemas.message import Message


def test_a_claim_moves_the_work_on() -> None:
    tracker = ProgressTracker(Progress({"0": 5}))
    assert tracker.try_claim({"0": 9, "1": 2})
    assert tracker.current_restriction() == Progress({"0": 9, "1": 2})


def test_the_rest_starts_after_the_last_claim() -> None:
    tracker = ProgressTracker(Progress({"0": 5}))
    tracker.try_claim({"0": 9})
    primary, residual = tracker.try_split(0) or (None, None)
    assert residual == Progress({"0": 9})
    assert primary == Progress({"0": 9}, {"0": 9})
    assert not tracker.try_claim({"0": 10}), "what was given away cannot be claimed"
    assert tracker.try_split(0) is None
    tracker.check_done()


def test_the_rest_keeps_its_end() -> None:
    tracker = ProgressTracker(Progress({"0": 5, "1": 0}, {"0": 9, "1": 3}))
    assert tracker.is_bounded()
    tracker.try_claim({"0": 9, "1": 2})
    assert tracker.try_split(0) == (
        Progress({"0": 9, "1": 2}, {"0": 9, "1": 2}),
        Progress({"0": 9, "1": 2}, {"0": 9, "1": 3}),
    )


def test_at_its_end_there_is_no_rest() -> None:
    tracker = ProgressTracker(Progress({"0": 5}, {"0": 9}))
    with pytest.raises(ValueError, match="without deferring"):
        tracker.check_done()
    assert tracker.try_claim({"0": 9})
    tracker.check_done()
    assert tracker.try_split(0) is None
    assert ProgressTracker(Progress({"0": 9}, {"0": 9})).try_split(0) is None


def test_a_stream_is_not_cut_in_the_middle() -> None:
    tracker = ProgressTracker(Progress({"0": 5}))
    assert tracker.try_split(0.5) is None
    assert not tracker.is_bounded()
    assert tracker.current_progress().fraction_completed == 0.0


@given(
    st.dictionaries(st.text(max_size=9), st.integers(0, 2**62), max_size=4),
    st.none() | st.dictionaries(st.text(max_size=9), st.integers(0, 2**62), max_size=4),
)
def test_progress_survives_its_coder(positions: dict[str, int], stops: dict[str, int] | None) -> None:
    coder, progress = ProgressCoder(), Progress(positions, stops)
    assert coder.decode(coder.encode(progress)) == progress


@given(
    st.binary(max_size=50), st.text(max_size=9), st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3)
)
def test_messages_survive_their_coder(raw: bytes, source: str, attributes: dict[str, str]) -> None:
    coder, message = MessageCoder(), Message(raw, source, attributes)
    assert coder.decode(coder.encode(message)) == message


@dataclass(frozen=True)
class CountingSource:
    """Gives the numbers 0 to 9 at the seconds of their value, three at a time, and notes what is acknowledged."""

    text: str = "memory"
    acknowledged: ClassVar[list[int]] = []

    def count_readers(self) -> int:
        return 2

    def start(self, reader: Reader) -> Progress:
        return Progress({str(reader.number): 0}, {str(reader.number): 10})

    def read(self, reader: Reader, progress: Progress, watermark: StreamWatermark) -> Batch:
        name = str(reader.number)
        watermark.track([name])
        at = progress.positions[name]
        numbers = range(at, min(at + 3, 10))
        watermark.observe(name, numbers[-1] * 1_000_000, 2**60)
        records = [Record(Message(b"%d" % n, name, {}), n * 1_000_000) for n in numbers]
        return Batch(records, {name: numbers[-1] + 1}, json.dumps(numbers[-1]).encode())

    def acknowledge(self, tokens: Sequence[bytes]) -> None:
        self.acknowledged.extend(json.loads(token) for token in tokens)


class Timed(beam.DoFn):
    def process(self, element: Message, at: Timestamp = beam.DoFn.TimestampParam) -> Iterator[tuple[str, int, float]]:
        yield element.source, int(element.raw), at.micros / 1e6


@pytest.mark.parametrize("acknowledge", ["bundle", "written"])
def test_a_run_reads_everything_once_and_acknowledges_each_batch(acknowledge: str) -> None:
    CountingSource.acknowledged.clear()
    options = SourceOptions(acknowledge=acknowledge, out_of_orderness_seconds=0)  # type: ignore[arg-type]
    with beam.Pipeline(FnApiRunner(), PipelineOptions(["--streaming"])) as pipeline:
        read = (
            pipeline
            | beam.Create([(0, 2), (1, 2)])
            | beam.ParDo(ReadStream(CountingSource(), options)).with_outputs(RECEIPTS)
        )
        expected = [(reader, number, float(number)) for reader in "01" for number in range(10)]
        assert_that(read[None] | beam.ParDo(Timed()), equal_to(expected), "Messages")
        tokens = sorted([b"2", b"5", b"8", b"9"] * 2) if acknowledge == "written" else []
        assert_that(read[RECEIPTS], equal_to(tokens), "Receipts")
    assert sorted(CountingSource.acknowledged) == ([2, 2, 5, 5, 8, 8, 9, 9] if acknowledge == "bundle" else [])


def test_what_is_read_once_is_left_to_others() -> None:
    options = SourceOptions()
    assert make_source(parse_input("x.ndjson"), options) is None
    assert make_source(parse_input("duckdb:x"), options) is None
    assert isinstance(make_source(parse_input("pubsub:projects/p/subscriptions/s"), options), PubSubSource)

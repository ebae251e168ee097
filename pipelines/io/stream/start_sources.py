"""Starts the sources of a job that may go on from a savepoint, each once, whatever inputs there were before.

A reader begins with an element that comes from an `Impulse`, and a savepoint has that it was given out. Beam's Flink
runner gives these operators no names, so Flink tells one from the other by its number. With one input more, it may take
the new input's for one that has been given out, and nobody would ever read it; another one would be given out again.

So there is one `Impulse` here, whatever the number of inputs, and a stage behind it that remembers by name which
sources it has started. It looks again and again: after a start with one more input it starts that one. Of an input that
there is no more it forgets that it was started, since its readers are gone; should it come back, it begins anew.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import apache_beam as beam
from apache_beam.coders import Coder
from apache_beam.io.watermark_estimators import ManualWatermarkEstimator
from apache_beam.transforms.core import RestrictionProvider
from apache_beam.utils.timestamp import Duration, Timestamp

from pipelines.io.stream.read_stream import ProgressCoder, ProgressTracker
from pipelines.io.stream.source import Progress, now_us

LOOK_SECONDS = 1.0
"""What it gives out is that far behind the clock, so no source's watermark is ahead of that."""
Start = tuple[str, int, int]
"""(source, number of a reader, how many it has)."""


class StartSources(beam.PTransform[Any, beam.PCollection[Start]]):
    """Gives one element for each reader of each source.

    Args:
        readers: how many each source has, by its name.
    """

    def __init__(self, readers: Mapping[str, int]) -> None:
        super().__init__()
        self._readers = dict(readers)

    def expand(self, pbegin: Any) -> beam.PCollection[Start]:
        start = pbegin.pipeline | "Start" >> beam.Create([""], reshuffle=False)
        starts: beam.PCollection[Start] = start | "StartEach" >> beam.ParDo(
            _StartEach(self._readers)
        ).with_output_types(Start)
        return starts


class _StartEach(beam.DoFn, RestrictionProvider):
    """The restriction holds the names of the sources that were started."""

    WATERMARK = ManualWatermarkEstimator.default_provider()

    def __init__(self, readers: Mapping[str, int]) -> None:
        self._readers = readers

    def process(
        self,
        element: str,
        tracker: Any = beam.DoFn.RestrictionParam(),
        estimator: Any = beam.DoFn.WatermarkEstimatorParam(WATERMARK),
    ) -> Iterator[Start]:
        started = tracker.current_restriction().positions
        if tracker.try_claim(dict.fromkeys(self._readers, 1)):
            for name, readers in self._readers.items():
                if name not in started:
                    yield from ((name, number, readers) for number in range(readers))
            estimator.set_watermark(Timestamp(micros=now_us() // 1_000 * 1_000))
            tracker.defer_remainder(Duration(LOOK_SECONDS))

    def initial_restriction(self, element: str) -> Progress:
        return Progress({})

    def create_tracker(self, restriction: Progress) -> ProgressTracker:
        return ProgressTracker(restriction)

    def restriction_size(self, element: str, restriction: Progress) -> int:
        return 1

    def restriction_coder(self) -> Coder:
        return ProgressCoder()

    def truncate(self, element: str, restriction: Progress) -> None:
        """On drain nothing is started any more."""


def readers_of(start: Start, name: str) -> Iterator[tuple[int, int]]:
    """The reader of a source, if the element starts one of it."""
    if start[0] == name:
        yield start[1:]

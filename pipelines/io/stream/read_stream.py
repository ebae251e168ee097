"""The splittable DoFn that reads any `StreamSource`, with its restriction, its tracker and its watermark estimator.

One element is one reader of the source; its restriction is a `Progress`. Each bundle reads one bounded batch and defers
the rest, which gives the runner its checkpoints and holds memory down. On Prism a source must have one reader: it keeps
one watermark per stage and takes it from whichever bundle ended last, so two readers would let the faster one win.
"""

import functools
import json
from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
from apache_beam.coders import BytesCoder, Coder
from apache_beam.io.iobase import RestrictionProgress, RestrictionTracker, WatermarkEstimator
from apache_beam.transforms.core import RestrictionProvider, WatermarkEstimatorProvider
from apache_beam.transforms.window import GlobalWindow, TimestampedValue
from apache_beam.utils.timestamp import Duration, Timestamp
from apache_beam.utils.windowed_value import WindowedValue

from pipelines.io.stream.source import Progress, Reader, Record, StreamSource
from pipelines.io.stream.source_options import SourceOptions
from pipelines.io.stream.watermark import StreamWatermark, WatermarkPolicy
from transforms import counting

RECEIPTS = "receipts"
_GLOBALLY = (GlobalWindow(),)


class ProgressCoder(Coder):
    """Restrictions as JSON: small, readable in a snapshot, open to new fields."""

    def encode(self, value: Progress) -> bytes:
        stops = None if value.stops is None else dict(value.stops)
        return json.dumps({"positions": dict(value.positions), "stops": stops}, separators=(",", ":")).encode()

    def decode(self, encoded: bytes) -> Progress:
        return Progress(**json.loads(encoded))

    def is_deterministic(self) -> bool:
        return False


class ProgressTracker(RestrictionTracker):
    """Claims the positions of whole batches.

    Splits only where it stands: a stream cannot be cut in the middle, since nobody knows what lies ahead.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._ended = progress.finished()

    def current_restriction(self) -> Progress:
        return self._progress

    def try_claim(self, position: dict[str, int]) -> bool:
        """Claims all that lies before `position`. False when the rest of the work was given away meanwhile."""
        if self._ended:
            return False
        self._progress = self._progress.move_to(position)
        self._ended = self._progress.finished()
        return True

    def try_split(self, fraction_of_remainder: float) -> tuple[Progress, Progress] | None:
        if fraction_of_remainder != 0 or self._ended:
            return None
        residual = self._progress
        self._ended = True
        self._progress = Progress(residual.positions, residual.positions)
        return self._progress, residual

    def check_done(self) -> None:
        if not self._ended:
            raise ValueError("a batch ended without deferring what is left of the stream")

    def current_progress(self) -> RestrictionProgress:
        return RestrictionProgress(fraction=1.0 if self._ended else 0.0)

    def is_bounded(self) -> bool:
        return self._progress.stops is not None


class _EventTimeEstimator(WatermarkEstimator):
    """Carries a `StreamWatermark` from bundle to bundle."""

    def __init__(self, policy: WatermarkPolicy, state: bytes) -> None:
        self._policy = policy
        self._state = state
        self._current_us = StreamWatermark(policy, state).current_us()

    def load(self) -> StreamWatermark:
        return StreamWatermark(self._policy, self._state)

    def store(self, watermark: StreamWatermark) -> None:
        self._current_us = watermark.current_us()
        self._state = watermark.encode()

    # Beam takes None for "not known yet", as its own estimators answer; its annotation leaves that out.
    def current_watermark(self) -> Timestamp | None:  # type: ignore[override]
        # Floored to the millisecond that crosses the wire: rounding up would pass events that are still to come.
        return None if self._current_us is None else Timestamp(micros=self._current_us // 1_000 * 1_000)

    def get_estimator_state(self) -> bytes:
        return self._state

    def observe_timestamp(self, timestamp: Timestamp) -> None:
        """Element times say nothing new: the source has told the watermark of what it read."""


class ReadStream(beam.DoFn, RestrictionProvider, WatermarkEstimatorProvider):
    """Reads one source. The element is a `Reader`, the main output its messages.

    In "written" mode the output `receipts` has one token per batch, at the greatest element time so far. `name` is the
    source's in metrics.
    """

    def __init__(self, source: StreamSource, options: SourceOptions, name: str = "input-1") -> None:
        self._source = source
        self._options = options
        self._counter = counting.MESSAGES_READ + name

    # The bundle finalizer comes first: Beam fills in the tracker and the estimator by name, everything else by place.
    def process(
        self,
        element: tuple[int, int],
        finalizer: Any = beam.DoFn.BundleFinalizerParam,
        tracker: Any = beam.DoFn.RestrictionParam(),
        estimator: Any = beam.DoFn.WatermarkEstimatorParam(),
    ) -> Iterator[Any]:
        watermark = estimator.load()
        progress = tracker.current_restriction()
        in_bundle_mode = self._options.acknowledge == "bundle"
        token = b""
        if not progress.finished():
            batch = self._source.read(Reader(*element), progress, watermark)
            if tracker.try_claim(batch.positions):
                token = batch.token
                counting.count(self._counter, len(batch.records))
                yield from _elements(batch.records, watermark)
                if token and not in_bundle_mode:
                    at = Timestamp(micros=watermark.latest_element_us or watermark.current_us() or 0)
                    yield beam.pvalue.TaggedOutput(RECEIPTS, TimestampedValue(token, at))
                estimator.store(watermark)
                tracker.defer_remainder(Duration(batch.wait_seconds))
        # Always registered: Prism asks for every bundle's finalization, and the SDK refuses where nothing waits for it.
        finalizer.register(functools.partial(_acknowledge, self._source, token if in_bundle_mode else b""))

    def initial_restriction(self, element: tuple[int, int]) -> Progress:
        return self._source.start(Reader(*element))

    def create_tracker(self, restriction: Progress) -> ProgressTracker:
        return ProgressTracker(restriction)

    def restriction_size(self, element: tuple[int, int], restriction: Progress) -> int:
        return 1

    def restriction_coder(self) -> Coder:
        return ProgressCoder()

    def truncate(self, element: tuple[int, int], restriction: Progress) -> Progress | None:
        """On drain: what ends is read to its end, what does not ends where it stands."""
        return restriction if restriction.stops is not None else None

    def initial_estimator_state(self, element: tuple[int, int], restriction: Progress) -> bytes:
        return b""

    def create_watermark_estimator(self, estimator_state: bytes) -> WatermarkEstimator:
        return _EventTimeEstimator(self._options.watermark_policy, estimator_state)

    def estimator_state_coder(self) -> Coder:
        return BytesCoder()


def _elements(records: Iterable[Record], watermark: StreamWatermark) -> Iterator[WindowedValue]:
    # Not TimestampedValue, for which Beam makes a window each; and a Timestamp only where it differs from the one
    # before, as it does not in a history: 60,000 events took this stage 4.0 s of CPU, with its parsing, not 5.4.
    at_us, at = 0, Timestamp(0)
    for message, event_us in records:
        element_us = watermark.element_time_us(event_us)
        if element_us != at_us:
            at_us, at = element_us, Timestamp(micros=element_us)
        yield WindowedValue(message, at, _GLOBALLY)


def _acknowledge(source: StreamSource, token: bytes) -> None:
    if token:
        source.acknowledge([token])

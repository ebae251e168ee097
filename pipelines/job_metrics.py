"""What a job has counted so far, for whoever watches it: as the runner says, or its own processes."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from apache_beam.metrics.metric import MetricsFilter

from pipelines.apart.process import numbers_apart
from pipelines.io.stream.source import now_us
from pipelines.options.metrics import MetricsOptions
from transforms import counting, measures
from transforms.failed_events import pipeline_version
from transforms.lag import lag_us
from transforms.measures import Sample
from transforms.numbers import NOTHING, Numbers, Spread, sum_numbers


class JobMetrics:
    """The metrics of one job.

    Args:
        planned: the track events of the tracking plan.

    Attributes:
        numbers: gives what the job has counted so far.
        oldest_us: gives when that came in whose rows wait longest; 0: none wait.
    """

    def __init__(self, planned: frozenset[str]) -> None:
        self._planned = planned
        self._started = time.time()
        self._ended: float | None = None
        self._status = 1
        self.numbers: Callable[[], Numbers] = lambda: NOTHING
        self.oldest_us: Callable[[], int] = lambda: 0

    def end(self, status: int) -> int:
        """The job has ended with this exit status, which is given back."""
        self._ended, self._status = time.time(), status
        return status

    def samples(self) -> Iterator[Sample]:
        """All there is to tell now."""
        since = self.oldest_us()
        oldest_seconds = lag_us(since, now_us()) / 1_000_000 if since else 0.0
        yield from measures.samples(self.numbers(), self._planned, oldest_seconds)
        yield Sample(measures.INFO, (pipeline_version(),), 1)
        yield Sample(measures.STARTED, (), self._started)
        if self._ended is not None:
            yield Sample(measures.ENDED, (), self._ended)
            yield Sample(measures.SUCCEEDED, (), int(self._status == 0))


@contextmanager
def told_metrics(options: MetricsOptions, planned: frozenset[str]) -> Iterator[JobMetrics]:
    """Tells, as the options say, what the job inside the `with` counts.

    Raises:
        UsageError: it cannot listen where it should.
    """
    metrics = JobMetrics(planned)
    if options.place is None and options.file is None:
        yield metrics
        return
    from pipelines.io.prometheus import serve_metrics, write_metrics  # only who is asked for them needs the library

    with nullcontext("") if options.place is None else serve_metrics(options.place, metrics.samples) as address:
        if address:
            print(f"Metrics at {address}", file=sys.stderr)
        try:
            yield metrics
        finally:
            if options.file is not None:
                try:
                    write_metrics(options.file, metrics.samples)
                except OSError as error:  # the tables are what they should be, whatever becomes of the metrics
                    told = f"warning: --metrics_file {options.file}: cannot be written: {error.strerror}"
                    print(told, file=sys.stderr)


def stream_numbers(result: Any) -> Numbers:
    """What a running stream has counted: as this process knows, if the work is done in it, else as the runner says."""
    here = sum_numbers([counting.counted_here(), *numbers_apart()])
    return here if here.counters else read_numbers(result)


def read_numbers(result: Any) -> Numbers:
    """The job's metrics by name, from a Beam PipelineResult; nothing where the runner does not say or is gone."""
    try:
        found = result.metrics().query(MetricsFilter().with_namespace(counting.NAMESPACE))
    except Exception:  # noqa: BLE001 - whatever a runner raises: to be asked is no reason to fail
        return NOTHING
    counters: Counter[str] = Counter()
    for metric in found["counters"]:
        counters[metric.key.metric.name] += metric.result
    spreads: dict[str, Spread] = {}
    for metric in found["distributions"]:
        name, one = metric.key.metric.name, metric.result
        spreads[name] = spreads.get(name, Spread()).with_all(one.count, one.sum, one.max)
    return Numbers(counters, spreads)

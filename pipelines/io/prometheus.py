"""Metrics of a job for Prometheus: served while it runs, or left in a file when it has ended.

The one place that knows `prometheus_client`, which does the text format and the HTTP. What is told and under which
names: `transforms/measures.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from prometheus_client import CollectorRegistry, start_http_server, write_to_textfile
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
    SummaryMetricFamily,
)
from prometheus_client.registry import Collector

from pipelines.io.place import Place
from schemas.errors import UsageError
from transforms.measures import Sample
from transforms.numbers import Spread

Read = Callable[[], Iterable[Sample]]


@contextmanager
def serve_metrics(place: Place, read: Read) -> Iterator[str]:
    """Answers `GET /metrics` inside the `with`; gives the address.

    Args:
        place: where to listen; port 0 is any free one.
        read: what there is to tell, asked at each request, in a thread of its own.

    Raises:
        UsageError: it cannot listen there.
    """
    try:
        server, thread = start_http_server(place.port, place.host, _registry(read))
    except OSError as error:
        raise UsageError(f"--metrics_port {place}: {error.strerror}") from None
    try:
        yield f"http://{Place(place.host, server.server_port)}/metrics"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def write_metrics(path: Path, read: Read) -> None:
    """Puts it all into a file, in one rename, where node_exporter's textfile collector finds it.

    Raises:
        OSError: it cannot be written.
    """
    write_to_textfile(str(path), _registry(read))


def _registry(read: Read) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(_Collected(read))
    return registry


class _Collected(Collector):
    def __init__(self, read: Read) -> None:
        self._read = read

    def describe(self) -> Iterable[Metric]:
        """Nothing: or it would be read once just to be registered."""
        return ()

    def collect(self) -> Iterator[Metric]:
        by_name = sorted(self._read(), key=lambda sample: sample.metric.name)
        for _, of_one in groupby(by_name, key=lambda sample: sample.metric.name):
            yield _family(list(of_one))


def _family(samples: list[Sample]) -> Any:
    metric = samples[0].metric
    made: Any = _FAMILIES[metric.kind](metric.name, metric.what, labels=metric.labels)
    for sample in samples:
        match sample.value:
            case Spread(number, total, _):
                made.add_metric(sample.labels, number, total)
            case (list() as buckets, total):
                made.add_metric(sample.labels, buckets, total)
            case value:
                made.add_metric(sample.labels, value)
    return made


_FAMILIES: Final[dict[str, Any]] = {
    "counter": CounterMetricFamily,
    "gauge": GaugeMetricFamily,
    "histogram": HistogramMetricFamily,
    "summary": SummaryMetricFamily,
}

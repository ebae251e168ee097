"""The counters of a job. Names of events and columns occur in them, values of data never do."""

from apache_beam.metrics import Metrics

NAMESPACE = "tidemark"
READ = "events_read"
DUPLICATE = "events_duplicate"
ERASED = "events_erased"
UNPLANNED = "unplanned:"
NOT_NORMALISED = "not_normalised:"


def count(name: str, by: int = 1) -> None:
    """Adds to a counter of the job."""
    if by:
        Metrics.counter(NAMESPACE, name).inc(by)

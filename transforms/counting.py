"""The counters of a job. Names of events and columns occur in them, values of data never do."""

from apache_beam.metrics import Metrics

NAMESPACE = "tidemark"
READ = "events_read"
ACCEPTED = "events_accepted"
DUPLICATE = "events_duplicate"
ERASED = "events_erased"
FAILED = "events_failed:"
"""And the reason. READ is the sum of ACCEPTED, DUPLICATE, ERASED and all of these."""
PROFILES = "profiles_built"
RANGES = "ranges_read"
UNPLANNED = "unplanned:"
NOT_NORMALISED = "not_normalised:"


def count(name: str, by: int = 1) -> None:
    """Adds to a counter of the job."""
    if by:
        Metrics.counter(NAMESPACE, name).inc(by)

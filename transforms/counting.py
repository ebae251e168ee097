"""The counters of a job. Names of events and columns occur in them, values of data never do."""

import os
from pathlib import Path

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

PROGRESS_FOLDER = "TIDEMARK_PROGRESS_FOLDER"
"""Environment variable of a local job and its workers: the folder in which they say how far they are."""
_NO_PROGRESS = (UNPLANNED, NOT_NORMALISED)


def count(name: str, by: int = 1) -> None:
    """Adds to a counter of the job. Called once for many events, never once for each."""
    if by:
        Metrics.counter(NAMESPACE, name).inc(by)
        folder = os.environ.get(PROGRESS_FOLDER)
        if folder and not name.startswith(_NO_PROGRESS):
            # Local runners tell counters only at the end. A short line is appended whole, also by threads.
            with Path(folder, str(os.getpid())).open("a") as file:
                file.write(f"{name} {by}\n")

"""Goes on: each destination in a thread of its own looks at the tables every few seconds, and sends what has changed.

A change that brings a million others is sent in slices: between two of them the tables are read again, so that whoever
has left or said no meanwhile is not sent. Another destination never waits for it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from pipelines.activation.planning import Request
from pipelines.activation.run import Place, Result, run_one
from pipelines.io.bigquery.errors import BigQueryError
from pipelines.io.files.parquet_store import known_manifest
from pipelines.io.ledger import LedgerError, open_ledger
from pipelines.io.outputs import BigQueryOutput, Output, StoreOutput, local_target
from schemas.errors import OutputError
from transforms.activation.destination import Destination

SLICE_SECONDS = 20.0
RETRY_SECONDS = 15.0
"""How soon what is pending is tried again, whatever the tables do."""

logger = logging.getLogger(__name__)


def follow(
    destinations: Sequence[Destination],
    place: Place,
    request: Request,
    every_seconds: float,
    stop: threading.Event,
    obstacle: Callable[[], str],
    tell: Callable[[Result], object],
) -> list[Result]:
    """Until `stop` is set; returns the last result of each destination.

    Args:
        destinations: all that are followed.
        place: where everything is.
        request: what was asked.
        every_seconds: how often the tables are looked at.
        stop: ends it, after the batches that are under way.
        obstacle: why nobody should act on the tables now, or "".
        tell: hears of each run that sent something, or did not get through.
    """
    with open_ledger(place.ledger):  # makes it, once
        pass
    last: dict[str, Result] = {}

    def keep(destination: Destination) -> None:
        seen, tried_at = "", 0.0
        while True:
            now = time.monotonic()
            version = _version(place.tables, now)
            before = last.get(destination.name)
            again = before is not None and not before.is_as_wanted
            goes_on = before is not None and before.trouble == "goes on in the next round"
            if (version != seen or goes_on or (again and now > tried_at + RETRY_SECONDS)) and not obstacle():
                result = _tried(destination, place, request)
                if result is not None:
                    seen, tried_at, last[destination.name] = version, time.monotonic(), result
                    if result.sent.changes or result.trouble:
                        tell(result)
            if stop.wait(every_seconds):
                return

    threads = [threading.Thread(target=keep, args=(one,), name=f"follow-{one.name}") for one in destinations]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return list(last.values())


def _tried(destination: Destination, place: Place, request: Request) -> Result | None:
    try:
        return run_one(destination, place, request, slice_seconds=SLICE_SECONDS)
    except (OutputError, LedgerError, BigQueryError) as error:
        logger.warning("%s: %s", destination.name, error)
        return None


def _version(tables: Output, now: float) -> str:
    """What changes when the tables do; of BigQuery nothing is known, it is asked each time."""
    if isinstance(tables, BigQueryOutput):
        return str(now)
    if isinstance(tables, StoreOutput):
        return known_manifest(tables).run
    path: Path = local_target(tables)
    try:
        found = path.stat()
    except OSError:
        return ""
    return f"{found.st_ino}:{found.st_mtime_ns}:{found.st_size}"

"""`python -m pipelines.activate`: makes each destination hold exactly the members that it should."""

from __future__ import annotations

import logging
import signal
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import replace

from pipelines.activation.follow import follow
from pipelines.activation.planning import Work, plan_destination
from pipelines.activation.run import Place, Result, run_all
from pipelines.activation.tables import open_activation_tables
from pipelines.io.bigquery.errors import BigQueryError
from pipelines.io.destinations.registry import connect
from pipelines.io.job_record import read_job
from pipelines.io.ledger import LedgerError, open_ledger
from pipelines.io.outputs import DuckDBOutput, local_target
from pipelines.options.activate import ActivateOptions, parse_activate_options
from pipelines.words.activation import dry_run_lines, result_lines
from pipelines.words.log import log_format_of, log_lines, say_error
from schemas.errors import OutputError, TidemarkError

logger = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status: 0 as wanted, 1 something is pending, 2 wrong arguments or files."""
    given = sys.argv[1:] if arguments is None else arguments
    with log_lines(log_format_of(given)):
        return _main(given)


def _main(arguments: Sequence[str]) -> int:
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs whole URLs
    try:
        options = parse_activate_options(arguments)
        for one in () if options.dry_run else options.destinations:
            connect(one).close()  # settings are checked before anything is sent
    except TidemarkError as error:
        say_error(error)
        return 2
    for warning in options.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    try:
        return _run(options)
    except (OutputError, BigQueryError, LedgerError) as error:
        say_error(error)
        return 1
    except KeyboardInterrupt:
        print("Stopped. The next run goes on where this one ended.", file=sys.stderr)
        return 1


def _run(options: ActivateOptions) -> int:
    place = Place(options.tables, options.ledger)
    if options.follow_seconds is not None:
        return _follow(options, place)
    obstacle = _obstacle(options)
    if obstacle:
        print(obstacle, file=sys.stderr)
        return 1
    if options.dry_run:
        print("\n".join(dry_run_lines(plan_all(options))))
        return 0
    started = time.monotonic()
    shown = _Progress()
    results = run_all(options.destinations, place, options.request, shown)
    shown.clear()
    print("\n".join(result_lines(results, time.monotonic() - started)))
    return 0 if all(result.is_as_wanted for result in results) else 1


def _obstacle(options: ActivateOptions) -> str:
    record = read_job(options.tables)
    if record is None or options.request.force or not record.obstacle:
        return ""
    return f"{options.tables}: {record.obstacle}. Wait for it, or take the tables as they are with --force."


def plan_all(options: ActivateOptions) -> list[Work]:
    """What would be sent. Neither a destination nor the ledger is touched."""
    request = replace(options.request, now_us=time.time_ns() // 1_000, reconcile=False)
    with open_activation_tables(options.tables) as tables:
        if isinstance(options.ledger, DuckDBOutput) and not local_target(options.ledger).is_file():
            return [plan_destination(one, tables, None, None, request) for one in options.destinations]
        with open_ledger(options.ledger) as ledger:
            return [plan_destination(one, tables, ledger, None, request) for one in options.destinations]


def _follow(options: ActivateOptions, place: Place) -> int:
    stop = threading.Event()
    if threading.current_thread() is threading.main_thread():
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, lambda *_: stop.set())
    lock = threading.Lock()

    def tell(result: Result) -> None:
        with lock:
            print("\n".join(result_lines([result], 0.0)), flush=True)

    results = follow(
        options.destinations,
        place,
        options.request,
        options.follow_seconds or 0.0,
        stop,
        lambda: _obstacle(options),
        tell,
    )
    return 0 if all(result.is_as_wanted for result in results) else 1


class _Progress:
    """How many changes are done, in a line of the terminal."""

    def __init__(self) -> None:
        self._done, self._lock, self._shows = 0, threading.Lock(), sys.stderr.isatty()

    def __call__(self, done: int) -> None:
        with self._lock:
            self._done += done
            if self._shows:
                sys.stderr.write(f"\r\x1b[K{self._done:,} changes sent")
                sys.stderr.flush()

    def clear(self) -> None:
        if self._shows and self._done:
            sys.stderr.write("\r\x1b[K")


if __name__ == "__main__":
    sys.exit(main())

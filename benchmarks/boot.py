"""A stream that begins with a long history: how soon that is taken in, and how soon a live event's rows are there.

`python -m benchmarks.boot --events 1000000`. Needs Prism (`make services`). With `--compare` all tables are compared
with those of the bounded job as of the same instant, but for versions and the times of writing.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import duckdb
import orjson
import psutil

from benchmarks.batch import DEFAULT_FOLDER, generated, machine
from benchmarks.definitions import write_segments
from benchmarks.jobs import running, wait_until
from benchmarks.measure import MEGABYTE, SAMPLE_SECONDS, measure
from schemas.tables import TABLES, Table

_OF_WRITING = ("version", "recorded_at", "completed_at")
_USER, _DEVICE = "boot-user", "boot-device"
_LIVE_ROWS = """
SELECT (SELECT count(*) FROM events WHERE user_id = $user)
     + (SELECT count(*) FROM profiles WHERE user_id = $user)
     + (SELECT count(*) FROM identity_links WHERE user_id = $user)
     + (SELECT count(*) FROM memberships WHERE profile_id = 'user:' || $user)
"""


class Used(NamedTuple):
    """What a process and its children have used.

    Attributes:
        seconds: of a core.
        now_bytes: resident memory.
        peak_bytes: the most of it that was seen.
    """

    seconds: float
    now_bytes: int
    peak_bytes: int


class Watch:
    """Looks at a process and its children again and again, while it is in a `with`."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._seconds: dict[int, float] = {}
        self._now_bytes = self._peak_bytes = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def used(self) -> Used:
        """Up to now."""
        return Used(sum(self._seconds.values()), self._now_bytes, self._peak_bytes)

    def _run(self) -> None:
        while not self._ended.wait(SAMPLE_SECONDS):
            held = 0
            try:
                for process in (self._process, *self._process.children(recursive=True)):
                    times = process.cpu_times()
                    self._seconds[process.pid] = times.user + times.system
                    held += process.memory_info().rss
            except psutil.Error:
                continue  # one ended while it was looked at
            self._now_bytes, self._peak_bytes = held, max(self._peak_bytes, held)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command. Returns its exit status."""
    arguments = _arguments(argv)
    folder: Path = arguments.folder / "boot"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "live").mkdir(parents=True)
    history = generated(arguments.folder, arguments.events)
    write_segments(folder / "segments", arguments.segments)
    print(f"{arguments.events:,} events of history; {psutil.cpu_count()} cores, {machine()}")
    at = boot(history, folder)
    return compare(history, folder, at) if arguments.compare else 0


def boot(history: Path, folder: Path) -> datetime:
    """Prints how long everything takes from the command on; returns when the live event was."""
    output, log, live = folder / "stream.duckdb", folder / "stream.log", folder / "live"
    inputs = ["--streaming", "--input", str(history), "--input", f"watch:{live}/*.ndjson"]
    started = time.perf_counter()
    with running("pipelines.profiles", [*inputs, *_rest(folder, output)], log) as job, Watch(job.pid) as watch:

        def report(what: str) -> None:
            used = watch.used()
            print(
                f"{what:<40}{time.perf_counter() - started:>8.1f} s{used.seconds:>8.1f} core-s"
                f"{used.now_bytes / MEGABYTE:>8,.0f} MB{used.peak_bytes / MEGABYTE:>8,.0f} MB at most",
                flush=True,
            )

        wait_until(job, lambda: "Took in" in log.read_text())
        report("taken in")
        at = datetime.now(UTC)
        _put_event(live, at)
        wait_until(job, output.exists)
        report("the output has the history")
        wait_until(job, lambda: _has_live_event(output))
        report("and the rows of the live event")
    return at


def compare(history: Path, folder: Path, at: datetime) -> int:
    """Prints how many rows of each table the bounded job has otherwise; returns an exit status."""
    bounded, output = folder / "bounded.duckdb", folder / "stream.duckdb"
    inputs = ["--as_of", at.isoformat(), "--input", str(history), "--input", f"{folder}/live/*.ndjson"]
    measured = measure("pipelines.profiles", [*inputs, *_rest(folder, bounded)])
    print(f"the bounded job, of the same events: {measured.seconds:.1f} s")
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{bounded}' AS bounded (READ_ONLY)")
        connection.execute(f"ATTACH '{output}' AS stream (READ_ONLY)")
        found = {table.name: _differing(connection, table) for table in TABLES}
    for name, (rows, differing) in found.items():
        print(f"{name:<40}{rows:>11,} rows{differing:>8,} differ")
    return int(any(differing for _, differing in found.values()))


def _rest(folder: Path, output: Path) -> list[str]:
    return ["--segments", str(folder / "segments"), "--traits", "traits", "--output", f"duckdb:{output}"]


def _put_event(live: Path, at: datetime) -> None:
    said = {"messageId": "boot-event", "type": "track", "event": "Product Viewed", "timestamp": at.isoformat()}
    properties = {"product_id": "p1", "category": "shoes", "name": "A shoe", "price": 10}
    event = {**said, "userId": _USER, "anonymousId": _DEVICE, "properties": properties}
    written = live / "event.written"
    written.write_bytes(orjson.dumps(event) + b"\n")
    written.rename(live / "event.ndjson")


def _has_live_event(output: Path) -> bool:
    with duckdb.connect(str(output), read_only=True) as connection:
        ((rows,),) = connection.execute(_LIVE_ROWS, {"user": _USER}).fetchall()
    return bool(rows >= 4)  # it is in a segment, too


def _differing(connection: duckdb.DuckDBPyConnection, table: Table) -> tuple[int, int]:
    columns = ", ".join(f'"{name}"' for name in table.column_names() if name not in _OF_WRITING)
    sides = [f"SELECT {columns} FROM {side}.{table.name}" for side in ("bounded", "stream")]  # noqa: S608 - our names
    both = f"SELECT count(*) FROM (({sides[0]} EXCEPT ALL {sides[1]}) UNION ALL ({sides[1]} EXCEPT ALL {sides[0]}))"  # noqa: S608
    ((rows,),) = connection.execute(f"SELECT count(*) FROM bounded.{table.name}").fetchall()  # noqa: S608
    ((differing,),) = connection.execute(both).fetchall()
    return int(rows), int(differing)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.boot", description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=1_000_000, help="of the history (default %(default)s)")
    parser.add_argument("--segments", type=int, default=10, help="how many segments (default %(default)s)")
    parser.add_argument("--compare", action="store_true", help="all tables with those of the bounded job")
    parser.add_argument(
        "--folder", type=Path, default=DEFAULT_FOLDER, help="where input and output go (default %(default)s)"
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())

"""The stream on the local runner: events per second of the stateful graph, and how soon a change is told.

`python -m benchmarks.stream --events 100000 --rate 1000`. Starts Prism and Kafka, in a network of their own, since
Prism listens on every interface.

1. A file of the example shop through the streaming job: journal, parsing, deduplication, identity, profiles, rules,
   tables, until every event is where the bounded job puts it. Beside it, in the same run, one rule as one would write
   it: a stateful DoFn with a timer.
2. Events from Kafka at a steady rate; the time from publishing an event to the change that it makes (latency.py).
"""

from __future__ import annotations

import argparse
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import duckdb

from benchmarks.batch import DEFAULT_FOLDER, generated, machine
from benchmarks.definitions import write_segments
from benchmarks.jobs import ask, stream_job, wait_until
from benchmarks.latency import measure_latency
from benchmarks.measure import measure
from schemas.tables import TABLES, Table
from services.isolation import is_isolated, isolated
from services.manager import Manager


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command. Returns its exit status."""
    arguments = _arguments(argv)
    prism = Manager().build("prism")
    if not is_isolated():
        Manager().build("kafka")  # inside there is no network to build with
        again = [sys.executable, "-m", "benchmarks.stream", *(sys.argv[1:] if argv is None else argv)]
        return subprocess.run(isolated(again), check=False).returncode  # noqa: S603 - this very program
    folder: Path = arguments.folder / "stream"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    print(f"{machine()}, Prism")
    measure_throughput(generated(arguments.folder, arguments.events), arguments, folder, prism)
    measure_latency(arguments.rate, arguments.seconds, arguments.segments, folder, prism)
    return 0


def measure_throughput(events: Path, arguments: argparse.Namespace, folder: Path, prism: Path) -> None:
    """Prints events per second, ours and the idiomatic one's."""
    segments = folder / "segments"
    write_segments(segments, arguments.segments)
    batch = folder / "batch.duckdb"
    measure("pipelines.profiles", ["--input", str(events), "--segments", str(segments), "--output", f"duckdb:{batch}"])
    expected = count_rows(batch)
    output = folder / "throughput.duckdb"
    live = folder / "live"
    live.mkdir()
    shutil.copy(events, live / "events.ndjson")  # a file that is no history: the graph takes it, no boot
    with stream_job(["--input", f"watch:{live}/*.ndjson"], segments, output, prism) as job:
        wait_until(job, lambda: has_begun(output.with_name(f"{output.name}.stream") / "journal.sqlite"))
        started = time.perf_counter()
        wait_until(job, lambda: count_rows(output) == expected and count_differences(batch, output) == 0)
        seconds = time.perf_counter() - started
    report(f"Tidemark, {arguments.segments} segments, all tables", arguments.events, seconds)
    idiomatic = measure("benchmarks.idiomatic_stream", [str(events), str(prism)])
    (seconds,) = (float(line.split()[1]) for line in idiomatic.output.splitlines() if line.startswith("seconds "))
    report("Beam as one would write it, one rule", arguments.events, seconds)


def has_begun(journal: Path) -> bool:
    """Whether a first message was read."""
    if not journal.exists():
        return False
    with closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as connection:
        tables = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'messages'").fetchone()[0]
        return bool(tables and connection.execute("SELECT EXISTS (SELECT 1 FROM messages)").fetchone()[0])


def count_rows(output: Path) -> int:
    """Messages that are in the results or in failed_events."""
    if not output.exists():
        return 0
    return int(ask(output, "SELECT (SELECT count(*) FROM events) + (SELECT count(*) FROM failed_events)")[0][0])


def count_differences(batch: Path, output: Path) -> int:
    """Rows that two outputs do not share, of the tables that do not depend on how far time has passed."""
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{batch}' AS batch (READ_ONLY)")
        connection.execute(f"ATTACH '{output}' AS stream (READ_ONLY)")
        tables = [table for table in TABLES if table.name in ("events", "identity_links", "failed_events")]
        return sum(_differing(connection, table) for table in tables)


def _differing(connection: duckdb.DuckDBPyConnection, table: Table) -> int:
    columns = ", ".join(f'"{name}"' for name in table.column_names() if name not in ("recorded_at", "source"))
    sides = [f"SELECT {columns} FROM {side}.{table.name}" for side in ("batch", "stream")]  # noqa: S608 - our names
    both = f"SELECT count(*) FROM (({sides[0]} EXCEPT ALL {sides[1]}) UNION ALL ({sides[1]} EXCEPT ALL {sides[0]}))"  # noqa: S608
    return int(connection.execute(both).fetchall()[0][0])


def report(name: str, events: int, seconds: float) -> None:
    """One line."""
    print(f"{name:<52}{seconds:>9.1f} s{events / seconds:>11,.0f} events/s", flush=True)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stream", description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=100_000, help="of the file (default %(default)s)")
    parser.add_argument("--segments", type=int, default=10, help="how many segments (default %(default)s)")
    parser.add_argument("--rate", type=int, default=1_000, help="events per second from Kafka (default %(default)s)")
    parser.add_argument("--seconds", type=float, default=20, help="of measuring the latency (default %(default)s)")
    parser.add_argument(
        "--folder", type=Path, default=DEFAULT_FOLDER, help="where input and output go (default %(default)s)"
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())

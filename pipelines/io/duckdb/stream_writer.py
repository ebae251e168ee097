"""The one writer of a local output while a stream runs: takes updates from all bundles, writes and publishes them.

A thread of its own does so every few seconds. Readers of the output never wait, and never hold the writer up: they
have a copy, which the next one replaces by a rename. Knows no Beam.
"""

from __future__ import annotations

import fcntl
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, ClassVar, Literal

from pipelines.io.cache.location import CacheLocation
from pipelines.io.duckdb.boot_rows import LARGE, OF_OWNERS, BootRows
from pipelines.io.duckdb.cache_updates import CacheUpdates
from pipelines.io.duckdb.stream_database import LiveTables
from pipelines.io.duckdb.written import Written
from pipelines.io.journal.earlier_run import EarlierRun
from pipelines.io.journal.erasing import Erasing
from pipelines.io.journal.history_first import BEFORE_ALL_US
from pipelines.io.journal.journal import open_journal
from pipelines.io.outputs import DuckDBOutput, FilesOutput, Output
from schemas.failure_reasons import TOO_LATE
from schemas.tables import EVENTS, FAILED_EVENTS, TABLES
from schemas.update import RowUpdate
from transforms.failed_events import REASON, failure_of_row
from transforms.state.process import PROCESS, ClosedError, Registry

MOST_HELD = 100_000
"""Updates held back, at most; the stage that gives more waits until they are written."""

_AFTER_BOOT_SECONDS = 0.5
"""From loading the rows of a boot to publishing them. Live rows have waited for that, and should be among them: a copy
of a large output takes seconds, and the next one may come only after more of them."""
_BEGIN_SECONDS = 30.0
"""After loading the rows of a boot. So long live rows that just missed a copy are not kept waiting for a multiple of
the time that it took, but as in a quiet time, and what failed waits to be erased from the journal."""

Hold = Literal["checkpoint", "exchange", ""]
"""What rows wait for before they are written (pipelines/io/tables/hold_rows.py); "" for nothing."""


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """How a stream writes.

    Args:
        write_every_seconds: how often a local output is updated.
        folder: of the journal and the work database; "" for BigQuery without a journal.
        run: names this run of the job.
        is_restart: whether rows of an earlier run stand in the output until all that it told is told again.
        boot_until_us: where the watermark stands when that is so.
        cache: who is in which segment is kept there, too; None: nowhere.
        hold: what rows wait for before they are written.
        boot_rows: the folder of rows to begin with (`boot_rows.BootRows`); "" for none.
    """

    write_every_seconds: float = 2.0
    folder: str = ""
    run: str = ""
    is_restart: bool = False
    boot_until_us: int = BEFORE_ALL_US
    cache: CacheLocation | None = None
    hold: Hold = ""
    boot_rows: str = ""


@dataclass(frozen=True, slots=True)
class PublishingPace:
    """How soon an output may be published again: copying a large one takes long, and it is done less often then.

    Args:
        started: when the last copy was begun, in seconds.
        ended: when it stood.
    """

    started: float = 0.0
    ended: float = 0.0

    BUSY_SHARE: ClassVar[float] = 0.1
    """The most of the time that copying may take."""
    QUIET_SHARE: ClassVar[float] = 0.5
    """The same while no updates come in: a copy holds nobody up then, and what it brings may be the last for long."""

    def allows(self, now: float, *, quiet: bool) -> bool:
        """Whether it may be published now; `quiet`: nothing has come in lately."""
        share = self.QUIET_SHARE if quiet else self.BUSY_SHARE
        return now >= self.ended + (self.ended - self.started) / share


class BegunTables:
    """Tables into which rows of a boot are loaded while the rest of it is still worked out.

    Nothing is published of them; the writer that takes them over does that. Until then nobody else can write.

    Args:
        folder: of the journal and the work database.
        output: where the tables will go, for the message that another job is there.
    """

    def __init__(self, folder: Path, output: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.lock_file = _locked(folder / "lock", output)
        self.tables = LiveTables(folder)
        self.rows: dict[str, int] = {}
        """By table, how many were loaded."""

    def load(self, rows: BootRows, names: Iterable[str], version: int = 0) -> None:
        """Loads all rows of some tables with many, but for those that were loaded before.

        `version`: see `LiveTables.begin`.
        """
        with self.tables.without_checkpoints():
            for table, of_table in rows.large(name for name in names if name not in self.rows):
                self.tables.begin(table, of_table, version)
                self.rows[table.name] = of_table.num_rows

    def close(self) -> None:
        """Removes the tables."""
        self.tables.close()
        self.lock_file.close()


_BEGUN: Registry[Path, BegunTables] = PROCESS.registry(BegunTables.close)


def begin_tables(output: Output, folder: Path, rows: BootRows) -> None:
    """Loads the first rows of a boot, OF_OWNERS, for the writer that will open.

    Raises:
        WriterBusyError: another process has the output.
    """
    _BEGUN.get(folder, lambda: BegunTables(folder, str(output))).load(rows, OF_OWNERS)


class WriterBusyError(RuntimeError):
    """Another process writes to the same output."""


class WriterClosedError(RuntimeError):
    """The job was stopped."""


@dataclass
class UpdateWriter:
    """Collects updates from all bundles of this process; a thread of its own writes and publishes them."""

    output: DuckDBOutput | FilesOutput
    options: WriteOptions
    _held: list[RowUpdate] = field(default_factory=list)
    _failure: BaseException | None = None

    def __post_init__(self) -> None:
        folder = Path(self.options.folder)
        begun = _BEGUN.take(folder) or BegunTables(folder, str(self.output))
        self._lock_file, self._tables = begun.lock_file, begun.tables
        self.written = Written()
        self._earlier = EarlierRun(self.output, self.options.run, time.time_ns() // 1_000)
        self._booting = self.options.is_restart
        if self._booting:
            self._earlier.read()
            self._earlier.counts = open_journal(folder).receipts(self._earlier.counts)
        self._erasing = Erasing()
        self._unpublished = True  # empty tables are an output too
        self._cache = (
            None if self.options.cache is None else CacheUpdates(self.options.cache, self.output, self._tables)
        )
        if self._cache is not None and self._booting:
            self._cache.published()  # by the run before: until the history is through, that is what is known
        if self.options.boot_rows:
            self._begin_with(BootRows(Path(self.options.boot_rows)), begun)
        self._pace = PublishingPace()
        self._begins_until = time.monotonic() + _BEGIN_SECONDS if self.options.boot_rows else 0.0
        self._lock = threading.Lock()  # of what is held
        self._writing = threading.RLock()  # of the tables
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tidemark-writer", daemon=True)
        self._thread.start()

    def _begin_with(self, rows: BootRows, begun: BegunTables) -> None:
        begun.load(rows, LARGE, self._earlier.version)
        for name, count in begun.rows.items():
            self.written.note(name, count)
        for updates in rows.few():
            self._tables.apply(map(self._earlier.adjust, updates))
            self._note(updates)
        rows.remove()

    def add(self, updates: list[RowUpdate]) -> None:
        """Takes updates; writes them itself when too many wait.

        Raises:
            RuntimeError: the writer failed before.
        """
        self.check()
        with self._lock:
            self._held.extend(updates)
            self.written.hold(updates)
            too_many = len(self._held) > MOST_HELD
        if too_many:
            self._write()
            self.check()

    def end_boot(self) -> None:
        """The history was read and processed: what an earlier run published may now be replaced."""
        with self._writing:
            if self._booting:
                self._write()
                self._earlier.carry_over(self._tables.connection)
                self._booting = False
                self._unpublished = True
                if self._cache is not None:
                    self._cache.fill()

    def close(self) -> None:
        """Writes and publishes what is left, unless the history is not through: then the old output stands."""
        self._stop.set()
        self._thread.join()
        try:
            with self._writing:
                if self._failure is None:
                    self._write()
                    self._publish()
                    if not self._booting:
                        self._erase(now=True)
        finally:
            if self._cache is not None:
                self._cache.close()
            self._tables.close()
            self._lock_file.close()
        self.check()

    def _run(self) -> None:
        wait_seconds = self.options.write_every_seconds
        if self.options.boot_rows:  # of a long history, and what has waited for that to be loaded
            wait_seconds = min(_AFTER_BOOT_SECONDS, wait_seconds)
        try:
            while not self._stop.wait(wait_seconds):
                wait_seconds = self.options.write_every_seconds
                with self._writing:
                    quiet = not self._write()
                    now = time.monotonic()
                    if self._pace.allows(now, quiet=quiet or now < self._begins_until):
                        self._publish()
        except BaseException as error:  # noqa: BLE001 - it is raised where the next updates come in
            self._failure = error

    def check(self) -> None:
        if self._failure is not None:
            raise RuntimeError(f"the tables of {self.output} could not be written") from self._failure

    def _write(self) -> int:
        """Writes what is held; returns how many updates that was."""
        with self._writing:
            with self._lock:
                updates, self._held = self._held, []
            if updates and self._tables.apply(map(self._earlier.adjust, updates)):
                self._unpublished = True
            self.written.write(updates)
            self._note(updates)
            if self._cache is not None and not self._booting:
                self._cache.add(updates)
            return len(updates)

    def _note(self, updates: Iterable[RowUpdate]) -> None:
        """What the journal must hear: who was erased, and what came too late."""
        late = []
        for update in updates:
            self._erasing.note(update)
            if update.table == FAILED_EVENTS.name and not update.withdrawn and update.row[REASON] == TOO_LATE:
                late.append(failure_of_row(update.row))
        if late:
            open_journal(Path(self.options.folder)).set_late(late)

    def _publish(self) -> None:
        started = time.monotonic()
        if self._booting:
            return
        if not self._unpublished:
            self.written.publish()  # it has changed nothing: the output says so already
            self._erase_failed()
            return
        if self._cache is not None:
            self._cache.begin_publishing()
        if isinstance(self.output, DuckDBOutput):
            self._tables.publish_database(self.output.target())
        else:
            self._tables.publish_folder(self.output.target())
        self._unpublished = False
        self.written.publish()
        self._pace = PublishingPace(started, time.monotonic())
        if self._cache is not None:
            self._cache.published()
        self._erase()

    def _erase(self, *, now: bool = False) -> None:
        """What is erased in what was published leaves the journal, once its receipts have counted all of it."""
        if self._erasing.waiting:
            gone = self._tables.missing_from(_KEPT_FOR, self._erasing.waiting)
            if self._erasing.is_counted(gone) or now:
                open_journal(Path(self.options.folder)).erase(gone, self._tables.receipts())
                self._erasing.done(gone)
        self._erase_failed(now=now)

    def _erase_failed(self, *, now: bool = False) -> None:
        """The same of what failed. It may take seconds, so not while the first live rows after a boot wait."""
        if self._erasing.failed and (now or time.monotonic() >= self._begins_until):
            open_journal(Path(self.options.folder)).erase_failed(self._erasing.failed)
            self._erasing.failed.clear()


_KEPT_FOR = (
    (EVENTS.name, "message_id", "true"),
    (FAILED_EVENTS.name, "message_id", "octet_length(raw) > 0"),
    *((table.name, "retracts", "true") for table in TABLES if "retracts" in table.column_names()),
)
"""A message that one of these columns names, in rows for which a condition holds, is read again."""

_WRITERS: Registry[tuple[str, str], UpdateWriter] = PROCESS.registry(UpdateWriter.close, at_exit=True, for_good=True)
"""By output and run: once the writer of a run is closed, what comes too late does not open the output again."""


def open_writer(output: Output, options: WriteOptions) -> UpdateWriter:
    """This process's writer of a local output.

    Raises:
        WriterBusyError: another process has it.
        WriterClosedError: the job was stopped.
    """
    if not isinstance(output, DuckDBOutput | FilesOutput):
        raise TypeError(f"{output} has no local writer")
    try:
        return _WRITERS.get((str(output), options.run), lambda: UpdateWriter(output, options))
    except ClosedError:
        told = "the job was stopped; bundles that are still at work are lost, and come again"
        raise WriterClosedError(told) from None


def check_writers() -> None:
    """Raises what has ended a writer of this process."""
    for _, writer in _WRITERS.snapshot():
        writer.check()


def waiting_since_us() -> int:
    """When that came in whose rows wait longest in the writers of this process; 0: none wait."""
    since = [writer.written.waiting_since_us() for _, writer in _WRITERS.snapshot()]
    return min((came_us for came_us in since if came_us), default=0)


def close_writers() -> None:
    """Writes, publishes and closes what this process has written; for the end of a job, before all else is closed."""
    _WRITERS.close()


def _locked(path: Path, output: str) -> IO[str]:
    lock = path.open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise WriterBusyError(f"output {output}: another job is writing to it") from None
    return lock

"""Where a run's shards lie, who makes the output of them, and who takes them away.

| `--staging` | output | shards lie | the output is made by |
| --- | --- | --- | --- |
| not given | local | beside it | a worker: all of them are processes of one machine |
| not given | BigQuery | in the folder for temporary files | the same |
| any | files:gs://..., s3://... | in the output's own `runs/RUN` | a worker |
| given | BigQuery | there | a worker |
| given | local | there | the process that started the job: it is the one that is where the output shall be |

In the last case the job ends with a list of its shards, `shards.json`: those of attempts that failed are not in it.
"""

from __future__ import annotations

import logging
import shutil
import threading
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson

from pipelines.io.files.beam_files import is_local
from pipelines.io.files.parquet_store import RUNS, named_files, read_manifest, run_folder
from pipelines.io.files.store import Store, StoredFile, open_store
from pipelines.io.outputs import BigQueryOutput, DuckDBOutput, FilesOutput, Output, StoreOutput, local_target
from pipelines.io.tables.staging import Shard, new_staging_folder, remove_abandoned
from schemas.errors import OutputError

FOLDER = "tidemark-staging"
"""Within `--staging`: nothing else there is ours to sweep."""
ABANDONED_SECONDS = 86_400.0
"""A run that has written nothing for so long is dead: while the process that started it lives, it says so."""
ALIVE_EVERY_SECONDS = 600.0
_ALIVE = "alive"
_SHARDS = "shards.json"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StagingPlace:
    """Where the shards of one run lie.

    Attributes:
        output: what shall be made of them.
        folder: theirs alone; on any file system that Beam knows.
        run: names the run.
        shared: whether it is a place that the workers of several machines see.
    """

    output: Output
    folder: str
    run: str
    shared: bool

    @property
    def finished_by_launcher(self) -> bool:
        """Whether the process that started the job makes the output, and not a worker."""
        return self.shared and not isinstance(self.output, BigQueryOutput | StoreOutput)

    @contextmanager
    def work_folder(self) -> Iterator[Path]:
        """A local folder on the file system of a local output."""
        if not self.shared:
            folder = Path(self.folder)
            folder.mkdir(parents=True, exist_ok=True)
            yield folder
            return
        folder = new_staging_folder(local_target(self.output))
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def local(self, shards: Iterable[Shard], work: Path) -> list[Shard]:
        """The shards as files of this machine.

        Raises:
            OutputError: they are on another one.
        """
        found = list(shards)
        store = open_store(self.folder)
        names = [shard.path.removeprefix(f"{self.folder}/") for shard in found]
        paths = store.fetch(names, work / "shards")
        if not self.shared and not all(path.exists() for path in paths):
            raise OutputError(
                "the job's workers are on several machines, and what they wrote is on the disks of others; "
                "expected --staging LOCATION, a place that all of them see, such as gs://BUCKET/FOLDER"
            )
        return [shard._replace(path=str(path)) for shard, path in zip(found, paths, strict=True)]

    def note_shards(self, shards: Iterable[Shard]) -> None:
        """Write down which shards count. A repeated attempt writes the same."""
        open_store(self.folder).write(_SHARDS, orjson.dumps([tuple(shard) for shard in shards]))

    def noted_shards(self) -> list[Shard]:
        """Those that count.

        Raises:
            OutputError: the job has not noted them.
        """
        content = open_store(self.folder).read(_SHARDS)
        if content is None:
            raise OutputError(f"{self.folder}: the job has ended, and has not noted what it wrote")
        return [Shard(*fields) for fields in orjson.loads(content)]

    def remove(self) -> None:
        """Take the shards away; those that are the output by now stay. What fails is left to be swept."""
        if not self.shared:
            shutil.rmtree(self.folder, ignore_errors=True)
            return
        try:
            self._delete()
        except Exception as error:  # noqa: BLE001 - whatever the store says: the output stands
            logger.warning("%s: cannot be removed, and stays until it is swept: %s", self.folder, type(error).__name__)

    def abandon(self) -> None:
        """The job has failed: nothing of this process is needed any more."""
        if isinstance(self.output, DuckDBOutput | FilesOutput) or not self.shared:
            remove_abandoned(local_target(self.output), own=True)
        if self.shared:
            self.remove()

    def _delete(self) -> None:
        kept: frozenset[str] = frozenset()
        if isinstance(self.output, StoreOutput):
            kept = named_files(self.output, self.run)
        store = open_store(self.folder)
        store.delete([file.name for file in store.list() if f"{RUNS}/{self.run}/{file.name}" not in kept])

    @contextmanager
    def kept_alive(self) -> Iterator[None]:
        """While the block runs, the place says now and then that the run lives."""
        if not self.shared:
            yield
            return
        ended = threading.Event()
        thread = threading.Thread(target=self._say_so, args=(ended,), name="tidemark-staging", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _say_so(self, ended: threading.Event) -> None:
        while not ended.wait(ALIVE_EVERY_SECONDS):
            try:
                open_store(self.folder).write(_ALIVE, b"alive")
            except Exception as error:  # noqa: BLE001 - the next time will do
                logger.warning("%s: cannot be written to: %s", self.folder, type(error).__name__)


def new_staging_place(output: Output, staging: str = "") -> StagingPlace:
    """The place of a new run. Nothing is made yet.

    Args:
        output: where the tables go.
        staging: `--staging`; "" for none.
    """
    run = uuid.uuid4().hex[:16]
    if isinstance(output, StoreOutput):
        return StagingPlace(output, run_folder(output, run), run, True)
    if staging:
        root = staging.rstrip("/") if not is_local(staging) else str(Path(staging).absolute())
        return StagingPlace(output, f"{root}/{FOLDER}/{run}", run, True)
    return StagingPlace(output, str(new_staging_folder(local_target(output))), run, False)


def begin_staging(place: StagingPlace, abandoned_seconds: float = ABANDONED_SECONDS) -> None:
    """Make sure that a shared place can be written, and sweep what dead runs have left there.

    Args:
        place: of the run that begins.
        abandoned_seconds: how long a run must have written nothing, by the store's own clock, to be dead.

    Raises:
        OutputError: it cannot be written or read.
    """
    if not place.shared:
        return
    try:
        kept = {place.run}
        if isinstance(place.output, StoreOutput):
            manifest = read_manifest(place.output)
            kept |= set() if manifest is None else {manifest.run, manifest.before}
        open_store(place.folder).write(_ALIVE, b"alive")
        _sweep(open_store(place.folder.removesuffix(f"/{place.run}")), place.run, kept, abandoned_seconds)
    except OutputError:
        raise
    except Exception as error:  # each file system has errors of its own
        reason = (str(error).splitlines() or [""])[0] or type(error).__name__
        raise OutputError(f"{place.folder}: cannot be written to: {reason}") from error


def _sweep(root: Store, own: str, kept: set[str], abandoned_seconds: float) -> None:
    runs: dict[str, list[StoredFile]] = {}
    for file in root.list():
        runs.setdefault(file.name.partition("/")[0], []).append(file)
    now = max(file.updated_seconds for file in runs[own])  # by the store's clock: ours may go otherwise
    for run, files in runs.items():
        if run not in kept and max(file.updated_seconds for file in files) < now - abandoned_seconds:
            root.delete([file.name for file in files])

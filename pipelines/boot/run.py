"""Takes in the history of a stream before its graph starts (transforms/stream/bulk.py). Without Beam.

Reading and parsing come first, then stage after stage; each is shared out among worker processes, the largest parts
first. What comes of it lies in a folder beside the journal: cells, with which the shelves of the stream begin, and
rows, which its writer loads. Both are made anew by each run.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from pipelines.boot.parts import history_bytes, plan_parts
from pipelines.boot.worker import ROWS, SAID, SHELVES, BootWorker
from pipelines.io.journal.history_first import Boot
from pipelines.io.journal.journal import open_journal
from pipelines.io.outputs import BigQueryOutput
from pipelines.local.workers import Workers, make_lock
from pipelines.options.profiles import ProfilesOptions
from transforms.state.boot_shelves import BootShelves
from transforms.state.process import PROCESS, Registry
from transforms.stream.bulk import Part
from transforms.stream.settings import StreamSettings
from transforms.stream.stages import ORDER, PROFILES

FOLDER = "boot"
WORTH_BYTES = 16 * 1024 * 1024
"""Below this much history the graph reads it sooner than processes start."""
_FOLDERS: Registry[Path, Path] = PROCESS.registry(lambda path: shutil.rmtree(path, ignore_errors=True), at_exit=True)


@dataclass(frozen=True, slots=True)
class TakenIn:
    """What a history came to.

    Attributes:
        shelves: what the stream's shelves begin with.
        rows: the folder of the rows (`boot_rows.BootRows`).
        counters: what it adds to the job's counters.
    """

    shelves: BootShelves
    rows: str
    counters: Counter[str]


def is_worth_it(options: ProfilesOptions, boot: Boot) -> bool:
    """Whether the history is taken in before the graph starts: it is long, and the output is a local one."""
    return not isinstance(options.output, BigQueryOutput) and history_bytes(boot, options.inputs) >= WORTH_BYTES


def take_in(
    options: ProfilesOptions,
    boot: Boot,
    settings: StreamSettings,
    stopped: threading.Event,
    passed_us: Callable[[], int | None],
    begin: Callable[[Path], object] | None = None,
) -> TakenIn:
    """Takes in all history: the journal, and the inputs that end.

    Args:
        options: of the job, whose output is local.
        boot: of this run.
        settings: of the stream, without a boot.
        stopped: set by whoever wants it to end.
        passed_us: asked, once all is known of whom each event is, up to where time has passed (live.py).
        begin: called with the folder of the rows at that time, beside the rest: those of events and links are all
            there (`boot_rows.OF_OWNERS`). What it raises ends the boot.

    Raises:
        StoppedError: `stopped` was set.
        UnreadableFileError: a file cannot be read.
    """
    folder = boot.folder / FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    for name in (SAID, ROWS, SHELVES):
        (folder / name).mkdir(parents=True)
    _FOLDERS.put(folder, folder)
    counters: Counter[str] = Counter()
    arguments = os.getpid(), options, boot, settings, folder, make_lock()
    until_us: int | None = None
    begun: Future[object] | None = None
    with (
        ThreadPoolExecutor(1) as beside,
        Workers(os.cpu_count() or 1, BootWorker, *arguments, stopped=stopped) as workers,
    ):
        for counted in workers.map(BootWorker.read, plan_parts(boot, options.inputs)):
            counters.update(counted)
        safe = beside.submit(open_journal(boot.folder).make_safe)
        for stage in ORDER:
            if stage == PROFILES:
                until_us = passed_us()
                begun = begun if begin is None else beside.submit(begin, folder / ROWS)
            for counted in workers.map(BootWorker.run, _parts(stage, folder / SAID), until_us):
                counters.update(counted)
        safe.result()
        if begun is not None:
            begun.result()
    return TakenIn(BootShelves(str(folder / SHELVES), settings.buckets), str(folder / ROWS), counters)


def without_history(boot: Boot) -> Boot:
    """The rest of the run: live sources need not wait."""
    return replace(boot, histories=0)


def _parts(stage: str, folder: Path) -> list[Part]:
    """The parts of a stage to which anything was said; those to which most was said come first."""
    sizes: Counter[int] = Counter()
    for path in folder.glob(f"{stage}-*-*"):
        sizes[int(path.name.split("-")[1])] += path.stat().st_size
    return [Part(stage, number) for number, _ in sizes.most_common()]

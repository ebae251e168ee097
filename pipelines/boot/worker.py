"""What a worker process of a boot does: reads parts of the history, and makes the cells of parts of the stages."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections import Counter
from contextlib import AbstractContextManager
from pathlib import Path

from pipelines.boot.parse import parse_messages
from pipelines.boot.parts import HistoryPart
from pipelines.io.duckdb.boot_rows import BootRows
from pipelines.io.journal.history_first import HISTORY_US, Boot
from pipelines.io.journal.journal import open_journal
from pipelines.io.stream.source import Record as SourceRecord
from pipelines.local.exchange import Exchange
from pipelines.options.profiles import ProfilesOptions
from schemas.event import Failure
from schemas.message import Message
from transforms import counting
from transforms.failed_events import count_failures
from transforms.records import Record, pack, unpack
from transforms.state.boot_shelves import BootShelves, part_count
from transforms.stream.bulk import BulkStages, Part, Said, Spoken, say_read
from transforms.stream.settings import StreamSettings
from transforms.stream.stages import MESSAGES

_PR_SET_PDEATHSIG = 1
SAID, ROWS, SHELVES = "said", "rows", "shelves"
"""Folders of a boot."""


class BootWorker:
    """One worker.

    Args:
        parent: the process that it works for, and does not outlive.
        options: of the job.
        boot: of this run.
        settings: of the stream.
        folder: of the boot.
        turn: the lock of whoever writes into the journal.
    """

    def __init__(
        self,
        parent: int,
        options: ProfilesOptions,
        boot: Boot,
        settings: StreamSettings,
        folder: Path,
        turn: AbstractContextManager[object],
    ) -> None:
        if os.getpid() != parent:
            _end_with(parent)
        self._parser = options.parser()
        self._boot = boot
        self._turn = turn
        self._lateness_us = settings.allowed_lateness_us
        self._parts = part_count(settings.buckets)
        self._said = Exchange(str(folder / SAID))
        self._rows = BootRows(folder / ROWS)
        self._shelves = BootShelves(str(folder / SHELVES), settings.buckets)
        self._stages = BulkStages(settings)

    def read(self, part: HistoryPart) -> Counter[str]:
        """Reads a part, and says what is in it to the first stage; what that adds to the job's counters."""
        counting.begin_counting()
        open_journal(self._boot.folder).trust_sources(was_empty=not self._boot.known_until)
        spoken = Spoken(self._parts, self._say)
        for messages in part.batches(self._boot):
            records, failures, count = self._parse(messages, journaled=part.journal is not None)
            counting.count(counting.MESSAGES_READ + part.name, count)
            counting.count(counting.READ, count)
            count_failures(failures)
            say_read(records, failures, self._lateness_us, spoken)
        spoken.close()
        counting.count_parsed(self._parser)
        return Counter(counting.counted_here().counters)

    def run(self, part: Part, until_us: int | None) -> Counter[str]:
        """Makes the cells of a part; what that adds to the job's counters.

        Args:
            part: of a stage.
            until_us: up to where time has passed; None: it has not begun.
        """
        self._stages.until_us = until_us
        spoken = Spoken(self._parts, self._say)
        said = unpack(self._said.read(part.stage, part.number))
        cells = self._stages.run(part.stage, said, spoken)
        self._shelves.write(self._stages.cells_of(part.stage), part.number, cells, wakes=part.stage != MESSAGES)
        spoken.close()
        self._said.drop(part.number, part.stage)
        self._rows.write(f"{part.stage}-{part.number}", spoken.rows)
        counted, self._stages.counted = self._stages.counted, Counter()
        return counted

    def _parse(self, messages: list[Message], *, journaled: bool) -> tuple[list[Record], list[Failure], int]:
        """Parses messages, and has them stand in the journal; what did before is not of this part.

        Returns:
            Events, failures, how many messages there were.
        """
        journal, known_until = open_journal(self._boot.folder), self._boot.known_until
        if not journaled and known_until:
            read = [SourceRecord(message, HISTORY_US) for message in messages]
            messages = [record.message for record in journal.append(read, known_until)]
        parsed = parse_messages(self._parser, messages)
        if not journaled and not known_until:
            journal.append_history(messages, parsed.message_ids, HISTORY_US, self._turn)
        return parsed.records, parsed.failures, len(messages)

    def _say(self, part: Part, said: list[Said]) -> None:
        self._said.write(part.stage, part.number, pack(said))


def _end_with(parent: int) -> None:
    """This process ends when its parent does, however that ends. Ctrl-C is the parent's business."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)

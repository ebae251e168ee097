"""History first, then live: the sources of a stream that keeps a journal (journal.py). Knows no Beam.

| source | ends | gives |
| --- | --- | --- |
| `JournalSource` | at the journal's last message when the job started | what earlier runs read |
| `HistorySource` (history_files.py), `TableHistorySource` (history_tables.py) | where the input ends | bounded inputs |
| `JournaledSource` | as the source that it wraps | what that source reads, once it is in the journal |

Those that end hold the watermark until they have ended, and what they give is never late. A live source waits for them;
then it gives at once the watermark that it had in the run before, or one before any event (`BEFORE_ALL_US`). Where that
arrives, the history is through.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.io.journal.journal import open_journal
from pipelines.io.stream.source import Batch, Progress, Reader, StreamSource, now_us
from pipelines.io.stream.source_options import SourceOptions
from pipelines.io.stream.watermark import StreamWatermark, WatermarkPolicy
from schemas.instants import EARLIEST_US
from transforms.state.process import PROCESS, Registry

BEFORE_ALL_US = EARLIEST_US - 1_000_000
"""An instant that no event can have: where the watermark stands when the history is through."""
HISTORY_US = BEFORE_ALL_US - 1_000_000
"""The time of the elements that history is read as. While one of them is on its way, the watermark is not past it."""
WAIT_SECONDS = 0.1
NOTE_SECONDS = 0.5
_MILLISECOND_US = 1_000
_ALL = "all"


@dataclass(frozen=True, slots=True)
class Boot:
    """What this run of a job begins with.

    Args:
        folder: of the journal.
        run: names this run.
        known_until: the journal's last number when the run started.
        histories: how many sources must end before live ones begin.
        watermarks: what the readers of live sources have promised in earlier runs, (reader, microseconds).
    """

    folder: Path
    run: str
    known_until: int
    histories: int
    watermarks: tuple[tuple[str, int], ...] = ()

    def over_at_us(self, live: Iterable[str]) -> int:
        """Where the watermark stands once all that earlier runs have told is told again.

        Args:
            live: texts of the live inputs.
        """
        promised = []
        for text in live:
            of_input = [us for reader, us in self.watermarks if reader.rpartition("#")[0] == text]
            promised.append(min(of_input, default=BEFORE_ALL_US))
        return max(BEFORE_ALL_US, min(promised, default=BEFORE_ALL_US) - _MILLISECOND_US)

    def starts_at_us(self, reader: str) -> int:
        """The watermark that a reader of a live source starts with."""
        return max(BEFORE_ALL_US, dict(self.watermarks).get(reader, BEFORE_ALL_US))

    def journal_id(self) -> str:
        """Names the journal."""
        return open_journal(self.folder).id()

    def note_end(self, name: str) -> None:
        """A source was read to its end."""
        open_journal(self.folder).note_history(self.run, name)

    def is_over(self) -> bool:
        """Whether all that ends was read to its end."""
        return open_journal(self.folder).count_history(self.run) >= self.histories


@dataclass(frozen=True)
class JournalSource:
    """What earlier runs wrote into the journal, in order of arrival."""

    boot: Boot
    options: SourceOptions

    @property
    def text(self) -> str:
        return "journal"

    def count_readers(self) -> int:
        return 1

    def start(self, reader: Reader) -> Progress:
        if not self.boot.known_until:
            self.boot.note_end(self.text)
        return Progress({_ALL: 0}, {_ALL: self.boot.known_until})

    def read(self, reader: Reader, progress: Progress, watermark: StreamWatermark) -> Batch:
        until = self.boot.known_until
        found = open_journal(self.boot.folder).read(
            progress.positions[_ALL], until, self.options.max_poll_records, self.options.max_poll_bytes
        )
        at = found[-1].number if found else until
        if at >= until:
            self.boot.note_end(self.text)
        hold(watermark)
        return Batch([one.record._replace(event_us=HISTORY_US) for one in found], {_ALL: at})

    def acknowledge(self, tokens: Sequence[bytes]) -> None:
        """Nobody waits for it."""


@dataclass(frozen=True)
class JournaledSource:
    """Another source, whose records are in the journal before anybody sees them.

    What stands in the journal from earlier runs is not given again: `JournalSource` gives it.

    Args:
        source: the source.
        boot: of this run.
        policy: of the source's watermark.
        live: whether to wait until the history was read.
    """

    source: StreamSource
    boot: Boot
    policy: WatermarkPolicy
    live: bool = True

    @property
    def text(self) -> str:
        return self.source.text

    def count_readers(self) -> int:
        return self.source.count_readers()

    def start(self, reader: Reader) -> Progress:
        return self.source.start(reader)

    def read(self, reader: Reader, progress: Progress, watermark: StreamWatermark) -> Batch:
        name = f"{self.text}#{reader.number}/{reader.of}"
        if self.live and watermark.current_us() is None:
            if not _is_over(self.boot):
                return Batch([], dict(progress.positions), wait_seconds=WAIT_SECONDS)
            _begin(watermark, self.policy, self.boot.starts_at_us(name))
        batch = self.source.read(reader, progress, watermark)
        if self.live:
            _note(self.boot, name, watermark.current_us())
        if not batch.records:
            return batch
        return batch._replace(records=open_journal(self.boot.folder).append(batch.records, self.boot.known_until))

    def acknowledge(self, tokens: Sequence[bytes]) -> None:
        self.source.acknowledge(tokens)


# Runs of this process whose history was read to its end: that does not change any more.
_OVER: Registry[str, bool] = PROCESS.registry()


def _is_over(boot: Boot) -> bool:
    if _OVER.find(boot.run):
        return True
    is_over = boot.is_over()
    if is_over:
        _OVER.put(boot.run, True)
    return is_over


# When the watermark of a reader was last noted: (run, reader) -> (seconds of a monotonic clock, microseconds).
_NOTED: Registry[tuple[str, str], tuple[float, int]] = PROCESS.registry()


def _note(boot: Boot, name: str, watermark_us: int | None) -> None:
    """Keeps a watermark for the next run."""
    if watermark_us is None or watermark_us == BEFORE_ALL_US:
        return
    noted_at, noted_us = _NOTED.find((boot.run, name)) or (0.0, BEFORE_ALL_US)
    now = time.monotonic()
    if watermark_us > noted_us and now - noted_at >= NOTE_SECONDS:
        open_journal(boot.folder).note_watermark(name, watermark_us)
        _NOTED.put((boot.run, name), (now, watermark_us))


def _begin(watermark: StreamWatermark, policy: WatermarkPolicy, at_us: int) -> None:
    """Moves a watermark that knows nothing to an instant."""
    watermark.track([_ALL])
    watermark.observe(_ALL, at_us + policy.out_of_orderness_us, max(now_us(), at_us + policy.out_of_orderness_us))
    watermark.current_us()


def hold(watermark: StreamWatermark) -> None:
    """Keeps the watermark where it is, at nothing: what is still to be read may be of any age."""
    watermark.track([_ALL])
    watermark.hold(_ALL, True)

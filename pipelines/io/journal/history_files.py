"""Files that exist now as the history of a stream, read as a bounded job reads them (read_files.py)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from pipelines.io.files.ranges import FileRange, plan_ranges
from pipelines.io.journal.history_first import HISTORY_US, Boot, hold
from pipelines.io.locations import FileInput
from pipelines.io.stream.found_records import found_message
from pipelines.io.stream.source import Batch, Progress, Reader, Record
from pipelines.io.stream.source_options import SourceOptions
from pipelines.io.stream.watermark import StreamWatermark
from schemas.event import Failure
from transforms.state.process import PROCESS, Registry

_END = 1 << 62


@dataclass(frozen=True)
class HistorySource:
    """A bounded input. A position is the number of records read of a byte range of a file."""

    location: FileInput
    options: SourceOptions
    boot: Boot | None = None

    @property
    def text(self) -> str:
        return self.location.text

    def count_readers(self) -> int:
        return 1

    def start(self, reader: Reader) -> Progress:
        names = list(self._ranges())
        if not names:
            self._note_end()
        return Progress(dict.fromkeys(names, 0), dict.fromkeys(names, _END))

    def read(self, reader: Reader, progress: Progress, watermark: StreamWatermark) -> Batch:
        hold(watermark)
        positions = dict(progress.positions)
        name = next(name for name, at in positions.items() if at != _END)
        records, ended = self._read(name, positions[name])
        positions[name] = _END if ended else positions[name] + len(records)
        if all(at == _END for at in positions.values()):
            self._note_end()
        return Batch(records, positions)

    def acknowledge(self, tokens: Sequence[bytes]) -> None:
        """Nobody waits for it."""

    def _ranges(self) -> dict[str, FileRange]:
        """By names that stay the same when files are added: only those that were there at the start are read."""
        return {f"{one.start}:{one.path}": one for one in plan_ranges([self.location])}

    def _read(self, name: str, at: int) -> tuple[list[Record], bool]:
        """The records of a range from the given one on, up to a batch of them, and whether they are its last."""
        key = (self.boot, self.text, name)
        stands_at, found = _OPEN.take(key) or (-1, iter(()))
        if stands_at != at:
            found = islice(self._ranges()[name].messages(), at, None)
        records: list[Record] = []
        size_bytes = 0
        for one in found:
            records.append(self._record(one))
            size_bytes += len(records[-1].message.raw)
            if len(records) >= self.options.max_poll_records or size_bytes >= self.options.max_poll_bytes:
                _OPEN.put(key, (at + len(records), found))
                return records, False
        return records, True

    def _record(self, found: bytes | Failure) -> Record:
        return Record(found_message(found, self.text), HISTORY_US)

    def _note_end(self) -> None:
        if self.boot is not None:
            self.boot.note_end(self.text)


# Files that are being read, where the last batch ended: a compressed file cannot be read on from its middle.
_OPEN: Registry[tuple[Boot | None, str, str], tuple[int, Iterator[bytes | Failure]]] = PROCESS.registry()

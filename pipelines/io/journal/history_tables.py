"""The events table of an earlier job as the history of a stream."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipelines.io.journal.history_first import HISTORY_US, Boot, hold
from pipelines.io.locations import BigQueryInput, DuckDBInput
from pipelines.io.stream.source import Batch, Progress, Reader, Record
from pipelines.io.stream.watermark import StreamWatermark
from pipelines.io.tables.event_rows import event_batches, messages
from schemas.message import Message

ROWS = 50_000
"""Rows of one batch. The table is asked again for each, since it may change only between runs."""
_ROWS, _END = "rows", 1 << 62


@dataclass(frozen=True)
class TableHistorySource:
    """Rows of a table as messages again (read_events.py). The position is the number of rows that were read."""

    location: DuckDBInput | BigQueryInput
    boot: Boot | None = None

    @property
    def text(self) -> str:
        return self.location.text

    def count_readers(self) -> int:
        return 1

    def start(self, reader: Reader) -> Progress:
        return Progress({_ROWS: 0}, {_ROWS: _END})

    def read(self, reader: Reader, progress: Progress, watermark: StreamWatermark) -> Batch:
        at = progress.positions[_ROWS]
        raws = list(self._rows(at))
        hold(watermark)
        if len(raws) < ROWS and self.boot is not None:
            self.boot.note_end(self.text)
        records = [Record(Message(raw, self.text, {}), HISTORY_US) for raw in raws]
        return Batch(records, {_ROWS: at + len(raws) if len(raws) == ROWS else _END})

    def acknowledge(self, tokens: Sequence[bytes]) -> None:
        """Nobody waits for it."""

    def _rows(self, at: int) -> Iterator[bytes]:
        end = at + ROWS
        for batch in event_batches(self.location):
            if at < batch.num_rows:
                yield from messages(batch.slice(at, end - at))
            at, end = max(0, at - batch.num_rows), end - batch.num_rows
            if end <= 0:
                return

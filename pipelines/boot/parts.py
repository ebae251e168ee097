"""What there is to read of a history, in parts that worker processes share out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from pipelines.io.files.ranges import FileRange, plan_ranges
from pipelines.io.files.sizes import input_bytes
from pipelines.io.journal.history_first import Boot
from pipelines.io.journal.journal import FILE_NAME, open_journal
from pipelines.io.locations import BigQueryInput, DuckDBInput, FileInput, InputLocation
from pipelines.io.stream.found_records import found_message
from pipelines.io.stream.read_sources import source_names
from pipelines.io.tables.event_rows import event_batches, messages, table_bytes
from schemas.message import Message

_NUMBERS = 25_000
"""Messages of the journal in a part."""
_BATCH = 25_000
"""Messages that are written into the journal at once."""
_BATCH_BYTES = 64 * 1024 * 1024


class HistoryPart(NamedTuple):
    """A part of a history.

    Attributes:
        name: of its input, in metrics.
        journal: the first number in the journal after which it begins, and its last; None: it is of another input.
        files: a piece of a file.
        table: a table of events, all of it.
    """

    name: str
    journal: tuple[int, int] | None = None
    files: FileRange | None = None
    table: DuckDBInput | BigQueryInput | None = None

    def batches(self, boot: Boot) -> Iterator[list[Message]]:
        """Its messages. Those that are not of the journal are not there yet, or are copies of those that are.

        Raises:
            UnreadableFileError: a file cannot be read.
        """
        if self.journal is not None:
            after, until = self.journal
            while found := open_journal(boot.folder).read(after, until, _BATCH, _BATCH_BYTES):
                after = found[-1].number
                yield [one.record.message for one in found]
            return
        left = self._messages()
        while batch := list(islice(left, _BATCH)):
            yield batch

    def _messages(self) -> Iterator[Message]:
        if self.files is not None:
            source = self.files.source
            return (found_message(found, source) for found in self.files.messages())
        if self.table is not None:
            location = self.table
            rows = (raw for batch in event_batches(location) for raw in messages(batch))
            return (Message(raw, location.text, {}) for raw in rows)
        return iter(())


def plan_parts(boot: Boot, inputs: Sequence[InputLocation]) -> list[HistoryPart]:
    """The journal, and the inputs that end."""
    journal, *names = source_names(["journal", *(location.text for location in inputs)])
    starts = range(0, boot.known_until, _NUMBERS)
    parts = [HistoryPart(journal, (start, min(start + _NUMBERS, boot.known_until))) for start in starts]
    for location, name in zip(inputs, names, strict=True):
        if isinstance(location, FileInput):
            parts += [HistoryPart(name, files=piece) for piece in plan_ranges([location])]
        elif isinstance(location, DuckDBInput | BigQueryInput):
            parts.append(HistoryPart(name, table=location))
    return parts


def history_bytes(boot: Boot, inputs: Sequence[InputLocation]) -> int:
    """About how many bytes the history has."""
    files = [location for location in inputs if isinstance(location, FileInput)]
    tables = [location for location in inputs if isinstance(location, DuckDBInput | BigQueryInput)]
    in_journal = Path(boot.folder, FILE_NAME).stat().st_size if boot.known_until else 0
    return in_journal + input_bytes(files) + table_bytes(tables)

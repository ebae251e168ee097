"""Watches for files that appear, and reads each record of each file once.

A file is taken to be complete when its name appears: write it elsewhere (or under a name that starts with a dot) and
rename it into place. Plain lines may also grow: they are read on from where they were left. What follows the last
newline is read once the file has stopped growing for one look. Everything else is read whole, in one bundle, by the
same readers as in a bounded job (contents.py). How a replaced file is told from one that grew: watched_files.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

from pipelines.io.files.beam_files import open_file
from pipelines.io.files.contents import file_kind, file_messages
from pipelines.io.files.listing import InputFile, list_files
from pipelines.io.files.watched_files import (
    after_reading,
    append_to_journal,
    match_files,
    of_positions,
    read_journal,
)
from pipelines.io.locations import WatchInput
from pipelines.io.stream.found_records import found_message, timed_record
from pipelines.io.stream.source import Batch, Progress, Reader, Record
from pipelines.io.stream.source import now_us as read_clock
from pipelines.io.stream.source_options import SourceOptions
from pipelines.io.stream.watermark import StreamWatermark
from schemas.event import Failure
from transforms.parse import split_body
from transforms.parse.lines import CutOffError, Rest, read_lines
from transforms.parse.text import line_messages
from transforms.state.process import PROCESS, Registry

_ALL = "files"  # the one partition of the watermark: files come in no order that tells their ages apart


@dataclass(frozen=True)
class WatchSource:
    """Files as a stream of messages. `clock` gives microseconds since the epoch.

    Positions are bytes read per path; a file that is gone is forgotten. While files that were found are still unread,
    the watermark stands: they may hold events of any age.
    """

    location: WatchInput
    options: SourceOptions
    clock: Callable[[], int] = read_clock

    @property
    def text(self) -> str:
        return self.location.text

    def count_readers(self) -> int:
        list_files(self.location.pattern)
        return 1

    def start(self, reader: Reader) -> Progress:
        journal = read_journal(self.options.watch_journal) if self.options.watch_journal else {}
        return Progress({**self.options.files_read, **journal})

    def read(self, reader: Reader, progress: Progress, watermark: StreamWatermark) -> Batch:
        looked_us = self.clock()
        files = list_files(self.location.pattern, strict=False)
        known = match_files(files, of_positions(progress.positions))
        unread = sorted(
            (file for file in files if file.size_bytes > known[file.path].read_bytes),
            key=lambda file: (file.updated_us, file.path),
        )
        records: list[Record] = []
        size_bytes = 0
        while unread and size_bytes < self.options.max_poll_bytes and len(records) < self.options.max_poll_records:
            file = unread.pop(0)
            try:
                found, position = read_on(file, known[file.path].read_bytes, self.text, self.options, looked_us)
                after = after_reading(file, position)
            except (CutOffError, FileNotFoundError):
                continue  # it is being replaced: the next look sees what there is then
            if found and position < file.size_bytes:
                unread.insert(0, file)
            size_bytes += position - known[file.path].read_bytes
            known[file.path] = after
            records.extend(self._record(one, file.updated_us) for one in found)
        self._tell(watermark, records, looked_us, behind=bool(unread))
        positions = {one.name(): one.read_bytes for one in known.values()}
        moved = {name: at for name, at in positions.items() if at and progress.positions.get(name) != at}
        token = json.dumps(moved).encode() if moved else b""
        return Batch(records, positions, token, 0.0 if unread else self.options.watch_seconds)

    def acknowledge(self, tokens: Sequence[bytes]) -> None:
        if self.options.watch_journal:
            append_to_journal(self.options.watch_journal, tokens)

    def _record(self, found: bytes | Failure, updated_us: int) -> Record:
        arrived_us = min(updated_us or self.clock(), self.clock())
        return timed_record(found_message(found, self.text), arrived_us, self.options.epoch)

    def _tell(self, watermark: StreamWatermark, records: list[Record], looked_us: int, *, behind: bool) -> None:
        watermark.track([_ALL])
        if records:
            watermark.observe(_ALL, max(record.event_us for record in records), looked_us)
        elif not behind:
            watermark.found_empty(_ALL, looked_us)
        watermark.hold(_ALL, behind)


def read_on(
    file: InputFile, position: int, source: str, options: SourceOptions, now_us: int
) -> tuple[list[bytes | Failure], int]:
    """The records of `file` after `position`, and the position after them.

    Plain lines are read in parts of about `max_poll_bytes`, to the end of a line. Anything else is read whole.
    """
    kind, gzipped = file_kind(file.path)
    if kind != "lines" or gzipped:
        return list(file_messages(file.path, source, file.size_bytes)), file.size_bytes
    end = min(position + options.max_poll_bytes, file.size_bytes)
    with open_file(file.path) as opened:
        found, rest = _all_of(line_messages(read_lines(opened, position, end, begins_line=True), source))
    if rest.unfinished and _has_settled(file, now_us, options.watch_seconds):
        last = split_body(rest.unfinished) if rest.unfinished.strip() else []
        return [*found, *last], rest.offset + len(rest.unfinished)
    return found, rest.offset


def _all_of(groups: Generator[Sequence[bytes | Failure], None, Rest]) -> tuple[list[bytes | Failure], Rest]:
    found: list[bytes | Failure] = []
    while True:
        try:
            found += next(groups)
        except StopIteration as end:
            return found, end.value


# When a file that does not end in a newline was first seen at its size: path -> (bytes, microseconds).
_UNFINISHED: Registry[str, tuple[int, int]] = PROCESS.registry()


def _has_settled(file: InputFile, now_us: int, seconds: float) -> bool:
    """Whether the file has kept its size since an earlier look, at least `seconds` ago."""
    size_bytes, since_us = _UNFINISHED.find(file.path) or (-1, now_us)
    if size_bytes != file.size_bytes:
        _UNFINISHED.put(file.path, (file.size_bytes, now_us))
        return False
    if now_us - since_us < seconds * 1_000_000:
        return False
    _UNFINISHED.take(file.path)
    return True

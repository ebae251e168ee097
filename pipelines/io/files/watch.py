"""Watches for files that appear, and reads each record of each file once.

A file is taken to be complete when its name appears: write it elsewhere (or under a name that starts with a dot) and
rename it into place. Plain NDJSON may also grow: it is read on from where it was left. What follows its last newline is
read once the file has stopped growing for one look. Compressed, Avro and Parquet files are read whole, in one bundle.
"""

from __future__ import annotations

import gzip
import io
import json
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import fastavro
from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems
from pyarrow.parquet import ParquetFile

from pipelines.io.locations import InputFile, WatchInput, list_files
from pipelines.io.stream.event_time import read_event_time_us
from pipelines.io.stream.source import Batch, Progress, Reader, Record
from pipelines.io.stream.source import now_us as read_clock
from pipelines.io.stream.source_options import SourceOptions
from pipelines.io.stream.watermark import StreamWatermark
from schemas.message import Message
from transforms.parse.rows import json_message

_PART_BYTES = 1024 * 1024
_LOGGER = logging.getLogger(__name__)
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
        files = list_files(self.location.pattern)
        positions = {file.path: progress.positions.get(file.path, 0) for file in files}
        # A file that is shorter than what was read of it was replaced: it is read from its start.
        positions.update({file.path: 0 for file in files if file.size_bytes < positions[file.path]})
        unread = sorted((f for f in files if f.size_bytes > positions[f.path]), key=lambda f: (f.updated_us, f.path))
        records: list[Record] = []
        size_bytes = 0
        while unread and size_bytes < self.options.max_poll_bytes and len(records) < self.options.max_poll_records:
            file = unread.pop(0)
            lines, position = read_on(file, positions[file.path], self.options, looked_us)
            if lines and position < file.size_bytes:
                unread.insert(0, file)
            size_bytes += position - positions[file.path]
            positions[file.path] = position
            records.extend(self._record(line, file.updated_us) for line in lines if line.strip())
        self._tell(watermark, records, looked_us, behind=bool(unread))
        moved = {path: at for path, at in positions.items() if at != progress.positions.get(path, 0)}
        token = json.dumps(moved).encode() if moved else b""
        return Batch(records, positions, token, 0.0 if unread else self.options.watch_seconds)

    def acknowledge(self, tokens: Sequence[bytes]) -> None:
        if self.options.watch_journal:
            append_to_journal(self.options.watch_journal, tokens)

    def _record(self, line: bytes, updated_us: int) -> Record:
        raw = line.removesuffix(b"\r")
        arrived_us = min(updated_us or self.clock(), self.clock())
        return Record(Message(raw, self.text, {}), read_event_time_us(raw, arrived_us))

    def _tell(self, watermark: StreamWatermark, records: list[Record], looked_us: int, *, behind: bool) -> None:
        watermark.track([_ALL])
        if records:
            watermark.observe(_ALL, max(record.event_us for record in records), looked_us)
        elif not behind:
            watermark.found_empty(_ALL, looked_us)
        watermark.hold(_ALL, behind)


def read_on(file: InputFile, position: int, options: SourceOptions, now_us: int) -> tuple[list[bytes], int]:
    """The records of `file` after `position`, and the position after them.

    Plain NDJSON is read in parts of about `max_poll_bytes`, to the end of a line. Anything else is read to its end.
    """
    if file.format == "ndjson" and not file.gzipped:
        return _read_lines(file, position, options, now_us)
    with FileSystems.open(file.path, compression_type=CompressionTypes.UNCOMPRESSED) as opened:
        data: bytes = opened.read()
    return list(_unpack(file, data)), file.size_bytes


def _read_lines(file: InputFile, position: int, options: SourceOptions, now_us: int) -> tuple[list[bytes], int]:
    with FileSystems.open(file.path, compression_type=CompressionTypes.UNCOMPRESSED) as opened:
        opened.seek(position)
        data: bytes = opened.read(min(options.max_poll_bytes, file.size_bytes - position))
        while b"\n" not in data and position + len(data) < file.size_bytes:
            data += opened.read(min(options.max_poll_bytes, file.size_bytes - position - len(data)))
    end = data.rfind(b"\n") + 1
    at_end = position + len(data) == file.size_bytes
    if end < len(data) and at_end and _has_settled(file, now_us, options.watch_seconds):
        end = len(data)
    return data[:end].removesuffix(b"\n").split(b"\n") if end else [], position + end


# When a file that does not end in a newline was first seen at its size: path -> (bytes, microseconds).
_UNFINISHED: dict[str, tuple[int, int]] = {}


def _has_settled(file: InputFile, now_us: int, seconds: float) -> bool:
    """Whether the file has kept its size since an earlier look, at least `seconds` ago."""
    size_bytes, since_us = _UNFINISHED.get(file.path, (-1, now_us))
    if size_bytes != file.size_bytes:
        _UNFINISHED[file.path] = (file.size_bytes, now_us)
        return False
    if now_us - since_us < seconds * 1_000_000:
        return False
    del _UNFINISHED[file.path]
    return True


def _unpack(file: InputFile, data: bytes) -> Iterator[bytes]:
    """The records of a whole file. What cannot be read is handed on as it is, to fail as an event with its bytes."""
    try:
        content = gzip.decompress(data) if file.gzipped else data
        if file.format == "ndjson":
            yield from content.split(b"\n")
        elif file.format == "avro":
            yield from map(json_message, fastavro.reader(io.BytesIO(content), handle_unicode_errors="surrogateescape"))
        else:
            for batch in ParquetFile(io.BytesIO(content)).iter_batches():
                yield from map(json_message, batch.to_pylist())
    except Exception as error:  # noqa: BLE001 - corrupt bytes raise nearly anything; none of it is dropped
        _LOGGER.warning("a watched %s file is broken (%s): its bytes fail", file.format, type(error).__name__)
        yield from (data[start : start + _PART_BYTES] for start in range(0, len(data), _PART_BYTES))


def read_journal(path: str) -> dict[str, int]:
    """What a journal says was read: path -> bytes. Without a journal, nothing; a line cut short by a crash is none."""
    journal = Path(path)
    if not journal.exists():
        return {}
    read: dict[str, int] = {}
    for line in journal.read_bytes().split(b"\n")[:-1]:
        read.update(json.loads(line))
    return read


def append_to_journal(path: str, tokens: Sequence[bytes]) -> None:
    """Adds what some batches read, durably."""
    with Path(path).open("ab") as journal:
        journal.write(b"".join(token + b"\n" for token in tokens))
        journal.flush()
        os.fsync(journal.fileno())

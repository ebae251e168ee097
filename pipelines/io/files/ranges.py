"""What there is to read of files, in pieces, and the records of a piece: for the bounded job and for the preview."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from itertools import chain
from typing import Final, NamedTuple

from pipelines.io.files.containers import ContainerError
from pipelines.io.files.contents import file_messages, range_lines
from pipelines.io.files.listing import RANGE_BYTES, InputFile
from pipelines.io.locations import FileInput
from schemas.event import Failure
from transforms.parse.collect import grouped
from transforms.parse.lines import CutOffError
from transforms.parse.text import messages_of

_LARGEST_RANGE_BYTES: Final = 24 * 1024 * 1024
_WORTH_SHARING: Final = 24


class UnreadableFileError(Exception):
    """A file that the operating system does not let be read, or not to its planned end; names it."""


class FileRange(NamedTuple):
    """The lines that start in [start, end) of a file, or (`whole`) all of it, `end` bytes long.

    `source` is the `--input` as given.
    """

    path: str
    whole: bool
    start: int
    end: int
    source: str

    def messages(self) -> Iterator[bytes | Failure]:
        """The records: JSON messages as they stand, Avro and Parquet rows as JSON. Raises as `groups`."""
        return chain.from_iterable(map(messages_of, self.groups()))

    def groups(self) -> Generator[Sequence[bytes | Failure], None, None]:
        """The records, some at a time; lines as they stand, which may be bodies of records.

        Raises:
            UnreadableFileError: the file cannot be read. What is in it does not raise.
        """
        try:
            if self.whole:
                yield from grouped(file_messages(self.path, self.source, self.end))
            else:
                yield from range_lines(self.path, self.source, self.start, self.end)
        except (ContainerError, CutOffError, OSError) as error:
            raise UnreadableFileError(f"{self.path} cannot be read: {error}") from error


def plan_ranges(locations: Iterable[FileInput]) -> list[FileRange]:
    """What there is to read, in pieces: few, as each makes a block for every bucket, but enough to share out."""
    files = [(file, location.text) for location in locations for file in location.files]
    whole_bytes = sum(file.size_bytes for file, _ in files)
    range_bytes = min(max(whole_bytes // _WORTH_SHARING, RANGE_BYTES), _LARGEST_RANGE_BYTES)
    return [piece for file, source in files for piece in _pieces(file, source, range_bytes)]


def _pieces(file: InputFile, source: str, range_bytes: int) -> Iterator[FileRange]:
    size_bytes = file.size_bytes
    if not file.splits:
        yield FileRange(file.path, True, 0, size_bytes, source)
        return
    for start in range(0, size_bytes, range_bytes):
        yield FileRange(file.path, False, start, min(start + range_bytes, size_bytes), source)

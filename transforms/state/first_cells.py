"""Cells that were made before a job began, in files: a shelf asks for one when it needs it, and never reads them all.

A file holds the cells of a part of a shelf's keys, in chunks that are compressed together, and an index: for the hash
of each key, in order, where its chunk begins. So what lies there costs no memory and no time until somebody asks, and
a million of them are as near as one. A file changes only as a whole, by a rename.

A chunk may hold a cell of which the index knows nothing: another has taken its place. It is not there for anybody, and
gone when the file is written anew.
"""

from __future__ import annotations

import mmap
import struct
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import msgspec

from transforms.records import compress, decompress

PackedCell = tuple[str, int | None, bytes]
"""Its key, when it wants to be woken, and what `pack` gave."""

_CHUNK_BYTES = 64 * 1024
NEVER = -(1 << 63)
_LENGTH_BYTES = 4
_FOOTER = struct.Struct("<QQQqQ")
"""How many cells, where the index begins, where the instants at which cells want to be woken do, the last of those; how
many cells the chunks have of which the index knows nothing."""
_HASH_BYTES = 8
_ENCODER = msgspec.msgpack.Encoder()
_CHUNK_DECODER = msgspec.msgpack.Decoder(list[tuple[str, int | None, bytes]])
_DUES_DECODER = msgspec.msgpack.Decoder(list[tuple[str, int]])


def part_of(key: str, parts: int) -> int:
    """The part of all keys that a key is in; its shelf is that number modulo the number of shelves."""
    return crc32(key.encode()) % parts


class CellChunk(NamedTuple):
    """Cells that are compressed together.

    Attributes:
        keys: of those that are there for somebody who asks.
        dues: when each of them wants to be woken.
        packed: all of them.
        hidden: how many of them are not there for anybody.
    """

    keys: list[str]
    dues: list[int | None]
    packed: bytes
    hidden: int = 0

    def cells(self) -> list[PackedCell]:
        """All cells."""
        return _CHUNK_DECODER.decode(decompress(self.packed))


def chunks_of(cells: Iterable[PackedCell | CellChunk]) -> Iterator[CellChunk]:
    """Cells as chunks, those that are chunks already as they are."""
    chunk: list[PackedCell] = []
    size = 0
    for cell in cells:
        if isinstance(cell, CellChunk):
            yield cell
            continue
        key, due, data = cell
        if size + len(data) > _CHUNK_BYTES and chunk:  # so that a large cell is alone
            yield _chunk(chunk)
            chunk, size = [], 0
        chunk.append((key, due, data))
        size += len(data)
    if chunk:
        yield _chunk(chunk)


def _chunk(cells: list[PackedCell]) -> CellChunk:
    return CellChunk([key for key, _, _ in cells], [due for _, due, _ in cells], compress(_ENCODER.encode(cells)))


def write_cells(path: Path, cells: Iterable[PackedCell | CellChunk], *, wakes: bool = True) -> None:
    """Writes a file, in place of any that is there.

    Args:
        path: of the file.
        cells: the cells, or chunks of them.
        wakes: whether each is woken; else only the last of their instants is told.
    """
    hashes, places = array("Q"), array("Q")
    dues: list[tuple[str, int]] = []
    latest, hidden_count = NEVER, 0

    def chunks() -> Iterator[bytes]:
        nonlocal latest, hidden_count
        at = 0
        for keys, due_at, packed, hidden in chunks_of(cells):
            hashes.extend(map(_hash, keys))
            places.extend([at] * len(keys))
            known = [(key, due) for key, due in zip(keys, due_at, strict=True) if due is not None]
            latest = max(latest, *(due for _, due in known)) if known else latest
            dues.extend(known if wakes else ())
            hidden_count += hidden
            at += _LENGTH_BYTES + len(packed)
            yield packed

    def index() -> _Index:
        return _Index(sorted(zip(hashes, places, strict=True)), dues, latest, hidden_count)

    _write(path, chunks(), index)


class _Index(NamedTuple):
    """What stands in a file after its chunks.

    Attributes:
        places: (hash of a key, where its chunk begins), in order.
        dues: (key, when it wants to be woken).
        latest: the last of those instants, also where they are not told.
        hidden: how many cells are in chunks, but not here.
    """

    places: list[tuple[int, int]]
    dues: list[tuple[str, int]]
    latest: int
    hidden: int


def _write(path: Path, chunks: Iterable[bytes | memoryview], index: Callable[[], _Index]) -> None:
    """Writes packed chunks, and then what `index` gives, in place of a file."""
    written = path.with_name(f".{path.name}")
    at = 0
    with written.open("wb") as file:
        for packed in chunks:
            at += file.write(len(packed).to_bytes(_LENGTH_BYTES, "little")) + file.write(packed)
        places, dues, latest, hidden = index()
        for column in zip(*places, strict=True):
            file.write(array("Q", column).tobytes())
        file.write(_ENCODER.encode(dues))
        file.write(_FOOTER.pack(len(places), at, at + 2 * len(places) * _HASH_BYTES, latest, hidden))
    written.replace(path)


def _hash(key: str) -> int:
    return int.from_bytes(blake2b(key.encode(), digest_size=_HASH_BYTES).digest(), "little")


class _File:
    """One file, open."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        view = memoryview(self._bytes)
        self.count, self._index_at, self._dues_at, self.latest, self.hidden = _FOOTER.unpack(view[-_FOOTER.size :])
        columns = view[self._index_at : self._dues_at].cast("Q")
        self._hashes, self._places = columns[: self.count], columns[self.count :]

    def find(self, key: str) -> bytes | None:
        """A cell; None: it is not here."""
        for place in self._places_of(key):
            found = next((data for name, _, data in self._chunk(place)[0] if name == key), None)
            if found is not None:
                return found
        return None

    def _places_of(self, key: str) -> Iterator[int]:
        """Where chunks begin that may hold the key's cell; nearly always one or none. The last is asked first."""
        wanted = _hash(key)
        place = bisect_right(self._hashes, wanted)
        while place and self._hashes[place - 1] == wanted:
            place -= 1
            yield self._places[place]

    def __iter__(self) -> Iterator[PackedCell]:
        at = 0
        while at < self._index_at:
            cells, end = self._chunk(at)
            yield from (cell for cell in cells if at in self._places_of(cell[0]))
            at = end

    def without(self, keys: set[str], path: Path) -> None:
        """Writes a file without the cells of some keys. Only the chunks that have one of them are packed anew."""
        concerned = {place for key in keys for place in self._places_of(key)}
        moved: dict[int, int] = {}  # where a chunk begins -> where it will
        again: list[tuple[int, int]] = []

        def chunks() -> Iterator[bytes | memoryview]:
            at = new = 0
            while at < self._index_at:
                begin, end = self._span(at)
                packed = [CellChunk([], [], memoryview(self._bytes)[begin:end])]  # type: ignore[arg-type]
                if at in concerned:
                    packed = list(chunks_of(cell for cell in packed[0].cells() if cell[0] not in keys))
                else:
                    moved[at] = new
                for chunk in packed:
                    again.extend((_hash(key), new) for key in chunk.keys)
                    yield chunk.packed
                    new += _LENGTH_BYTES + len(chunk.packed)
                at = end

        def index() -> _Index:
            stay = ((key, moved[at]) for key, at in zip(self._hashes, self._places, strict=True) if at in moved)
            told = self.dues()
            dues = [(key, due) for key, due in told if key not in keys]
            latest = max((due for _, due in dues), default=NEVER) if told else self.latest
            return _Index(sorted((*stay, *again)), dues, latest, 0)

        _write(path, chunks(), index)

    def dues(self) -> list[tuple[str, int]]:
        return _DUES_DECODER.decode(memoryview(self._bytes)[self._dues_at : -_FOOTER.size])

    def _chunk(self, at: int) -> tuple[list[PackedCell], int]:
        begin, end = self._span(at)
        return _CHUNK_DECODER.decode(decompress(memoryview(self._bytes)[begin:end])), end

    def _span(self, at: int) -> tuple[int, int]:
        begin = at + _LENGTH_BYTES
        return begin, begin + int.from_bytes(self._bytes[at:begin], "little")


class FirstCells:
    """Those of one shelf.

    Args:
        paths: the files by part.
        parts: how many parts all keys have.
    """

    def __init__(self, paths: dict[int, Path], parts: int) -> None:
        self._paths = {number: path for number, path in paths.items() if path.exists()}
        self._parts = parts
        self._files: dict[int, _File] = {}

    def find(self, key: str) -> bytes | None:
        """What the cell of a key was packed to; None: there is none."""
        number = part_of(key, self._parts)
        return self._file(number).find(key) if number in self._paths else None

    def __iter__(self) -> Iterator[str]:
        """The keys of all cells. Reads every file."""
        for number in self._paths:
            for key, _, _ in self._file(number):
                yield key

    def dues(self) -> Iterator[tuple[str, int]]:
        """(key, when it wants to be woken), of the cells that do."""
        for number in self._paths:
            yield from self._file(number).dues()

    def settles_at(self) -> tuple[int, int] | None:
        """(when the last of its cells wants to be woken, part), of the first part for which that is so."""
        found = [(self._file(number).latest, number) for number in self._paths]
        return min((one for one in found if one[0] != NEVER), default=None)

    def rewrite(self, number: int, change: Callable[[PackedCell], PackedCell | None], *, wakes: bool = True) -> None:
        """Replaces the file of a part; None: a cell is gone."""
        changed = map(change, self._file(number))
        write_cells(self._paths[number], (cell for cell in changed if cell is not None), wakes=wakes)
        del self._files[number]

    def drop(self, keys: Iterable[str]) -> None:
        """Removes cells, and their bytes with them."""
        gone: dict[int, set[str]] = {}
        for key in keys:
            gone.setdefault(part_of(key, self._parts), set()).add(key)
        for number in gone.keys() & self._paths.keys():
            if self._file(number).hidden:  # nobody can tell in which chunks all of them are
                self.rewrite(number, partial(_unless_in, gone[number]))
                continue
            self._file(number).without(gone[number], self._paths[number])
            del self._files[number]

    def _file(self, number: int) -> _File:
        file = self._files.get(number)
        if file is None:
            file = self._files[number] = _File(self._paths[number])
        return file


def _unless_in(keys: set[str], cell: PackedCell) -> PackedCell | None:
    return None if cell[0] in keys else cell

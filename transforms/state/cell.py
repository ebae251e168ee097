"""What the cells of all stages have in common: a version byte, facts, a counter.

The first byte of a packed cell is the version of its layout. A cell of an older layout is brought up to date when it is
read: give `unpack` a branch for it, and keep the branch for as long as jobs may hold such cells.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Sequence
from typing import Self

import msgspec

from schemas.update import RowUpdate
from transforms.state.facts import EVENT, Fact, Facts, Message

LAYOUT = 1

Output = Message | RowUpdate
Target = tuple[str, str, Fact]
"""(stage, key, fact)."""


class UnknownLayoutError(Exception):
    """A cell was written by a newer release than this one."""


class _Packed(msgspec.Struct, array_like=True):
    facts: list[tuple[Fact, int, int]]
    counter: int


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(_Packed)


def checked_layout(data: bytes, newest: int = LAYOUT) -> tuple[int, memoryview]:
    """The layout of a packed cell and what follows it.

    Raises:
        UnknownLayoutError: a newer release wrote the cell.
    """
    if not 1 <= data[0] <= newest:
        raise UnknownLayoutError(f"a cell of layout {data[0]}; this release reads layouts 1 to {newest}")
    return data[0], memoryview(data)[1:]


class FactCell:
    """A cell that holds nothing but facts and counts how often it took something back."""

    due: int | None = None

    def __init__(self, key: str) -> None:
        self.key = key
        self.facts = Facts()
        self.counter = 0
        self.counted: Counter[str] = Counter()
        """What has come to a counter of the job since it was told last, or gone from it again."""

    def pack(self) -> bytes:
        return bytes((LAYOUT,)) + _ENCODER.encode(_Packed(self.facts.counted(), self.counter))

    @classmethod
    def unpack(cls, key: str, data: bytes | None) -> Self:
        """A cell from its bytes; an empty one where there are none yet."""
        cell = cls(key)
        if data:
            _, body = checked_layout(data)
            packed = _DECODER.decode(body)
            cell.facts = Facts.restore(packed.facts)
            cell.counter = packed.counter
        return cell

    def change(self) -> bytes | None:
        return _ENCODER.encode(_Packed(self.facts.changes(), self.counter))

    def apply(self, change: bytes) -> None:
        packed = _DECODER.decode(change)
        self.facts.apply(packed.facts)
        self.counter = packed.counter

    def configure(self, stitch_window_us: int, max_merges: int) -> None:
        """Sets the limits of identity, where a cell has any."""

    @abstractmethod
    def handle(self, messages: Sequence[Message]) -> Sequence[Output]:
        """Takes in messages; what follows from them."""

    def take(self, messages: Sequence[Message]) -> None:
        if self.facts.take_first(messages):
            return
        for message in messages:
            self.facts.take(message.fact, message.sign, message.version)


def difference(before: Counter[Target], after: Counter[Target], why: str = EVENT) -> list[Message]:
    """The messages that make what was told before into what is told now."""
    taken = [Message(*target, -1, 0, why) for target in (before - after).elements()]
    return taken + [Message(*target, 1, 0, why) for target in (after - before).elements()]


class RowChanges:
    """Rows of one table by key, before and after, as updates. Versions are even for rows taken back, else odd."""

    def __init__(self, table: str, key_length: int) -> None:
        self._table = table
        self._key_length = key_length

    def updates(
        self, before: dict[tuple[object, ...], Fact], after: dict[tuple[object, ...], Fact], counter: int
    ) -> list[RowUpdate]:
        found = [
            RowUpdate(self._table, row, 2 * counter, withdrawn=True) for key, row in before.items() if key not in after
        ]
        return found + [
            RowUpdate(self._table, row, 2 * counter + 1) for key, row in after.items() if before.get(key) != row
        ]

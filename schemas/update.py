"""A row of an output table as a stream writes it: again and again, the greatest version stands."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec


class RowUpdate(NamedTuple):
    """The newest word on one row.

    `row` follows the table's columns (values as in `TableBlock`: instants in microseconds, JSON as text or bytes);
    where `withdrawn` only its key columns count: the row is gone. Of two updates with the same key the one with the
    greater `version` stands; writing one twice changes nothing.
    """

    table: str
    row: tuple[Any, ...]
    version: int
    withdrawn: bool = False


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(list[RowUpdate])


def pack_updates(updates: Iterable[RowUpdate]) -> bytes:
    """Updates as one element of a stream: an element costs a runner more than a row does."""
    return _ENCODER.encode(list(updates))


def unpack_updates(data: bytes) -> list[RowUpdate]:
    """What `pack_updates` was given."""
    return _DECODER.decode(data)

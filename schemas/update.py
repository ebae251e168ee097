"""A row of an output table as a stream writes it: again and again, the greatest version stands."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from schemas.stamp import came_us_of, packed_of, stamped


class RowUpdate(NamedTuple):
    """The newest word on one row.

    `row` follows the table's columns (values as in `TableBlock`: instants in microseconds, JSON as text or bytes);
    where `withdrawn` only its key columns count: the row is gone. Of two updates with the same key the one with the
    greater `version` stands; writing one twice changes nothing. `came_us`: when that came in from which it follows,
    microseconds since the epoch, for metrics; 0: nothing did, or that is not known.
    """

    table: str
    row: tuple[Any, ...]
    version: int
    withdrawn: bool = False
    came_us: int = 0


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(list[RowUpdate])


def pack_updates(updates: Iterable[RowUpdate], came_us: int = 0) -> bytes:
    """Updates as one element of a stream: an element costs a runner more than a row does.

    Args:
        updates: the rows.
        came_us: when that came in from which they follow, microseconds since the epoch.
    """
    return stamped(_ENCODER.encode(list(updates)), came_us)


def unpack_updates(data: bytes) -> list[RowUpdate]:
    """What `pack_updates` was given."""
    updates, came_us = _DECODER.decode(packed_of(data)), came_us_of(data)
    return [RowUpdate(*update[:-1], came_us) for update in updates] if came_us else updates

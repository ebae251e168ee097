"""When that came in from which a packed element follows, in a few bytes before it: by it the lag of a row is known.

A stamp changes nothing but metrics. An element without one follows from the past, or from time alone, or was on its way
when an older release was updated.
"""

from __future__ import annotations

from typing import Final

_MARK: Final = b"\xd3"
"""msgpack's whole number of 64 bits. What is packed are lists, which never begin with it."""
_LENGTH: Final = 9


def stamped(packed: bytes, came_us: int) -> bytes:
    """A packed list with its stamp.

    Args:
        packed: a list, packed by msgpack.
        came_us: microseconds since the epoch; 0: there is nothing to say.
    """
    return _MARK + came_us.to_bytes(_LENGTH - 1, "big", signed=True) + packed if came_us else packed


def came_us_of(element: bytes) -> int:
    """The stamp, 0 without one.

    >>> came_us_of(stamped(bytes([0x90]), 1_700_000_000_000_000)), came_us_of(bytes([0x90]))
    (1700000000000000, 0)
    """
    return int.from_bytes(element[1:_LENGTH], "big", signed=True) if element[:1] == _MARK else 0


def packed_of(element: bytes) -> memoryview:
    """The packed list, without its stamp."""
    return memoryview(element)[_LENGTH:] if element[:1] == _MARK else memoryview(element)


def earlier(one_us: int, other_us: int) -> int:
    """The earlier of two stamps, of which 0 is none."""
    return min(one_us or other_us, other_us or one_us)

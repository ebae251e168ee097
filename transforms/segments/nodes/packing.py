"""What the nodes keep, as plain values for MessagePack: JSON values, whole numbers of any size, entries.

MessagePack ends at 64 bits, where a sum of whole numbers does not; and it knows one kind of list, where a funnel tells
three apart. Those travel as extension types.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from transforms.segments.accumulators.accumulator import Entry

_BIG_NUMBER, _MANY, _TUPLE = 1, 2, 3
_BITS = 64


class Many(list[Any]):
    """The values of a path with `$`, told apart from one value that is a list."""


def pack_plain(value: Any) -> bytes:
    """Lists, tuples, objects and JSON values as bytes."""
    try:
        return _ENCODER.encode(value)
    except OverflowError:
        return _ENCODER.encode(_with_big_numbers(value))


def unpack_plain(data: bytes) -> Any:
    """What `pack_plain` was given; tuples come back as lists."""
    return _DECODER.decode(data)


def _with_big_numbers(value: Any) -> Any:
    if type(value) is int and value.bit_length() >= _BITS:
        return msgspec.msgpack.Ext(_BIG_NUMBER, str(value).encode())
    if isinstance(value, list | tuple):
        return [_with_big_numbers(item) for item in value]
    if isinstance(value, dict):
        return {name: _with_big_numbers(item) for name, item in value.items()}
    return value


def _read_extension(code: int, data: memoryview) -> Any:
    if code == _BIG_NUMBER:
        return int(bytes(data))
    values = unpack_plain(bytes(data))
    return Many(values) if code == _MANY else tuple(values)


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(ext_hook=_read_extension)


def pack_slot(value: Any) -> Any:
    """A value that a funnel has read from an event."""
    if type(value) is Many:
        return msgspec.msgpack.Ext(_MANY, pack_plain(list(value)))
    if type(value) is tuple:
        return msgspec.msgpack.Ext(_TUPLE, pack_plain(value))
    return value


def unpack_entries(packed: Iterable[Any]) -> Iterable[Entry]:
    """Entries of a stream, from lists."""
    return ((timestamp, message_id, tuple(values)) for timestamp, message_id, values in packed)

"""Arrow columns as lists of values that JSON can say, without a detour over Python's own types.

`to_pylist` raises for instants to the nanosecond, for dates beyond 9999, for zones that this machine does not know, for
durations and for maps whose keys are structures; and of a nested column it makes one object after the other. Here each
level of a nested column is converted at once: integers for instants, then text.

A value that cannot be said is `UNSAID`, whatever it was that said no.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any, Final

import orjson
import pyarrow as pa
from pyarrow import types

from transforms.parse.logical_types import written_date, written_instant, written_time

_MICROSECONDS: Final = {"s": (1_000_000, 1), "ms": (1_000, 1), "us": (1, 1), "ns": (1, 1_000)}
_PER_SECOND: Final = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_DAY_MS: Final = 86_400_000
# No event may be nested deeper (events.py).
_DEEPEST: Final = 254


class Unsaid:
    """Stands for a value that JSON cannot say."""


UNSAID: Final = Unsaid()


def column_values(column: pa.Array) -> list[Any]:
    """The values of a column; where it cannot be converted at once, those of them that can be."""
    try:
        return _values(column, 0)
    except Exception:  # noqa: BLE001 - whatever Arrow cannot do with a value of the data
        if len(column) <= 1:
            return [UNSAID] * len(column)
    return [value for index in range(len(column)) for value in column_values(column.slice(index, 1))]


def _values(array: pa.Array, depth: int) -> list[Any]:
    if depth > _DEEPEST:
        raise RecursionError("nested too deeply")
    kind = array.type
    for is_kind, read in _NESTED:
        if is_kind(kind):
            return read(array, depth + 1)
    for is_kind, read_flat in _FLAT:
        if is_kind(kind):
            return read_flat(array)
    values: list[Any] = array.to_pylist()
    return values


def _of_integers(width: pa.DataType, write: Callable[[int, Any], Any]) -> Callable[[pa.Array], list[Any]]:
    def read(array: pa.Array) -> list[Any]:
        kind = array.type
        # Not a cast, which would look at a zone or a range.
        return [None if value is None else write(value, kind) for value in array.view(width).to_pylist()]

    return read


def _instant(value: int, kind: Any) -> str:
    times, per = _MICROSECONDS[kind.unit]
    return written_instant(value * times // per)


def _time(value: int, kind: Any) -> str:
    times, per = _MICROSECONDS[kind.unit]
    return written_time(value * times // per)


def _seconds(value: int, kind: Any) -> float:
    whole, rest = divmod(value, _PER_SECOND[kind.unit])
    return whole if not rest else value / _PER_SECOND[kind.unit]


def _text(array: pa.Array) -> list[Any]:
    """Text; where it is not UTF-8, which Parquet does not check, with escapes for the parser to find."""
    try:
        values: list[Any] = array.to_pylist()
    except UnicodeDecodeError:
        as_bytes = pa.large_binary() if types.is_large_string(array.type) else pa.binary()
        found = array.cast(as_bytes) if types.is_string_view(array.type) else array.view(as_bytes)
        return [None if value is None else value.decode("utf-8", "surrogateescape") for value in found.to_pylist()]
    return values


def _structs(array: pa.Array, depth: int) -> list[Any]:
    names = [field.name for field in array.type]
    columns = [_values(column, depth) for column in array.flatten()]
    rows = zip(*columns, strict=True) if columns else ((),) * len(array)
    there = array.is_valid().to_pylist()
    return [dict(zip(names, row, strict=True)) if valid else None for valid, row in zip(there, rows, strict=True)]


def _lists(array: pa.Array, depth: int) -> list[Any]:
    lengths = array.value_lengths().to_pylist()
    items = iter(_values(array.flatten(), depth))
    return [None if length is None else [next(items) for _ in range(length)] for length in lengths]


def _fixed_lists(array: pa.Array, depth: int) -> list[Any]:
    items = iter(_values(array.flatten(), depth))
    return [
        [next(items) for _ in range(array.type.list_size)] if valid else None for valid in array.is_valid().to_pylist()
    ]


def _maps(array: pa.Array, depth: int) -> list[Any]:
    offsets = array.offsets.to_pylist()
    first = offsets[0] if offsets else 0
    size = offsets[-1] - first if offsets else 0
    keys = [_key(key) for key in _values(array.keys.slice(first, size), depth)]
    items = _values(array.items.slice(first, size), depth)
    there = array.is_valid().to_pylist()
    return [
        dict(zip(keys[start - first : end - first], items[start - first : end - first], strict=True)) if valid else None
        for valid, (start, end) in zip(there, pairwise(offsets), strict=True)
    ]


def _key(key: Any) -> str:
    return key if isinstance(key, str) else orjson.dumps(key, default=str).decode()


def _storage(array: pa.Array, depth: int) -> list[Any]:
    if isinstance(array.type, pa.UuidType):
        return [None if value is None else str(value) for value in array.to_pylist()]
    return _values(array.storage, depth)


def _decoded(array: pa.Array, depth: int) -> list[Any]:
    return _values(array.dictionary_decode() if types.is_dictionary(array.type) else pa.array(array.to_pylist()), depth)


_NESTED: Final[tuple[tuple[Callable[[Any], bool], Callable[[pa.Array, int], list[Any]]], ...]] = (
    (types.is_struct, _structs),
    (types.is_map, _maps),
    (lambda kind: types.is_list(kind) or types.is_large_list(kind), _lists),
    (types.is_fixed_size_list, _fixed_lists),
    (types.is_dictionary, _decoded),
    (lambda kind: isinstance(kind, pa.BaseExtensionType), _storage),
)
_FLAT: Final[tuple[tuple[Callable[[Any], bool], Callable[[pa.Array], list[Any]]], ...]] = (
    (lambda kind: types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind), _text),
    (types.is_timestamp, _of_integers(pa.int64(), _instant)),
    (types.is_date32, _of_integers(pa.int32(), lambda days, _kind: written_date(days))),
    (types.is_date64, _of_integers(pa.int64(), lambda ms, _kind: written_date(ms // _DAY_MS))),
    (types.is_time32, _of_integers(pa.int32(), _time)),
    (types.is_time64, _of_integers(pa.int64(), _time)),
    (types.is_duration, _of_integers(pa.int64(), _seconds)),
)

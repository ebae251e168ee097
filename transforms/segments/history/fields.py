"""The fields of events that rules read: each text decoded once, each value coded once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import orjson
import pyarrow as pa

from transforms.segments.history.histories import Integers
from transforms.segments.history.steps import Codes
from transforms.segments.history.timeline import NOTHING
from transforms.segments.values import is_many, json_key, path_getter

Source = Literal["properties", "context"]
TEXTS_AT_ONCE = 1 << 15
"""Objects of so many events are in memory at a time."""

FieldName = tuple[Source, str]


class Field:
    """One field of the events of all streams that read it, by their rows (ascending)."""

    def __init__(self, rows: Integers, codes: Integers, values: Sequence[Any], *, many: bool, keys: Codes) -> None:
        self.rows, self.codes, self.values, self.many = rows, codes, values, many
        self._keys = keys
        self._key_lists: list[list[int]] | None = None

    def of(self, rows: Integers) -> Integers:
        """The codes of some of the rows, in any order."""
        if rows is self.rows:
            return self.codes
        return self.codes[self.rows.searchsorted(rows)]

    def keys(self, rows: Integers) -> tuple[Integers, Integers]:
        """(place in rows, key) of every value: keys are equal where JSON values are, in whatever field."""
        lists = self._of_each_value()
        counts = np.fromiter((len(found) for found in lists), np.int64, len(lists))
        starts = counts.cumsum() - counts
        flat = np.array([key for found in lists for key in found], np.int64)
        codes = self.of(rows)
        count = counts[codes]
        place = np.repeat(np.arange(len(rows)), count)
        skipped = count.cumsum() - count
        within = np.arange(len(place)) - skipped.repeat(count)
        return place, (flat[starts[codes][place] + within] if len(place) else NOTHING)

    def _of_each_value(self) -> list[list[int]]:
        if self._key_lists is None:
            code = self._keys.code
            self._key_lists = [
                list(dict.fromkeys(code(_key(item)) for item in (value if self.many else (value,)) if item is not None))
                for value in self.values
            ]
        return self._key_lists


def decoded(texts: pa.Array) -> tuple[list[dict[str, Any]], Integers]:
    """The distinct objects of JSON texts (the last is empty), and the place of each text's; null is the empty one."""
    encoded = texts.dictionary_encode()
    distinct = [orjson.loads(text) for text in encoded.dictionary.to_pylist()]
    distinct.append({})
    place: Integers = encoded.indices.fill_null(len(distinct) - 1).to_numpy(zero_copy_only=False)
    return distinct, place


def _key(value: Any) -> Any:
    """As `json_key`, with 1 and 1.0 made the same by type, too."""
    key = json_key(value)
    return int(key) if type(key) is float and key.is_integer() else key


class Extractor:
    """Reads the fields of the events of one type and name out of their JSON texts, each text once."""

    def __init__(self) -> None:
        self.codes: dict[FieldName, Codes] = {}
        self.keys = Codes()

    def extract(self, texts: pa.Array, source: Source, paths: Sequence[str]) -> dict[str, Integers]:
        """For each path the codes of the values, in the order of the texts (null: an empty object)."""
        pieces = [
            self._extract(texts.slice(first, TEXTS_AT_ONCE), source, paths)
            for first in range(0, len(texts), TEXTS_AT_ONCE)
        ]
        return {
            path: np.concatenate([NOTHING, *(piece[number] for piece in pieces)]) for number, path in enumerate(paths)
        }

    def _extract(self, texts: pa.Array, source: Source, paths: Sequence[str]) -> list[Integers]:
        distinct, place = decoded(texts)
        found = []
        for path in paths:
            codes, get = self.codes.setdefault((source, path), Codes()), path_getter(path)
            found.append(codes.of(map(get, distinct))[place])
        return found

    def field(self, name: FieldName, pieces: Sequence[tuple[Integers, Integers]]) -> Field:
        """The field, of pieces of (rows, codes)."""
        codes = self.codes.setdefault(name, Codes())
        many = is_many(name[1])
        if len(pieces) == 1:
            rows, code = pieces[0]
        else:
            rows = np.concatenate([NOTHING, *(rows for rows, _ in pieces)])
            order = np.argsort(rows, kind="stable")
            rows, code = rows[order], np.concatenate([NOTHING, *(code for _, code in pieces)])[order]
        return Field(rows, code, codes.values, many=many, keys=self.keys)

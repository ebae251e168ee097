"""A bucket of histories while it is evaluated: its line, its streams, and whatever was worked out so far."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from transforms.profiles.normalize.columns import DEVICE_TYPE
from transforms.profiles.normalize.device import device_type_of
from transforms.profiles.normalize.traits import columns_of_trait
from transforms.segments.history.caches import Cache
from transforms.segments.history.fields import Extractor, Field, FieldName, Source, decoded
from transforms.segments.history.histories import Histories, Integers
from transforms.segments.history.timeline import LINE_END, NOTHING, distinct
from transforms.segments.mentions import Mentions

StreamName = tuple[str, str | None]
"""Type ("activity": any of the three) and name (None: any) of a stream."""

ACTIVITY = ("track", "page", "screen")


class World(Cache):
    """The histories on one line: `on_line[row]` is the position of an event in the root scope.

    Attributes:
        base: the position that each profile's stretch begins at, `begins` that of its first event, `never` the last.
        reads: the fields that rules read, by stream.
        fields: the traits that rules read by name.
        span: the length of a profile's stretch, microseconds; its last point is "never".
        origin: the instant that a stretch begins at.
        reach: how long after any instant time alone can go on to change things, microseconds.
        far: by profile, the farthest instant that a date of its data leads to, where what follows lies beyond the line.
    """

    def __init__(
        self,
        histories: Histories,
        as_of: int,
        ahead: int,
        reach: int,
        reads: Mapping[StreamName, Collection[FieldName]],
        fields: Collection[str],
    ) -> None:
        super().__init__()
        self.histories, self.as_of, self.reads, self.fields = histories, as_of, reads, fields
        self.reach = reach
        self.count = len(histories.profile_ids)
        self.origin = int(histories.timestamp.min()) if self.count else as_of
        self.span = as_of - self.origin + ahead + 2
        if self.count * self.span >= LINE_END:
            raise OverflowError("more profiles than fit on one line")
        self.base = np.arange(self.count, dtype=np.int64) * self.span
        self.on_line = self.base[histories.profile] + (histories.timestamp - self.origin)
        self.never = self.base + self.span - 1
        first = histories.profile.searchsorted(np.arange(self.count))
        self.begins = self.on_line[first]
        self.are_users = np.array([name.startswith("user:") for name in histories.profile_ids], bool)
        self.far: dict[int, int] = {}
        self._pairs = rows_by_pair(histories)
        self._extractor = Extractor()
        self._extracted: dict[tuple[StreamName, Source], dict[str, Integers]] = {}

    def note_far(self, profiles: Integers, instants: Integers) -> None:
        """Notes the profiles whose stretch ends before all that follows from a date is over."""
        beyond = (instants > self.as_of) & (instants + self.reach >= self.origin + self.span - 1)
        if beyond.any():
            for profile, instant in zip(profiles[beyond].tolist(), instants[beyond].tolist(), strict=True):
                self.far[profile] = max(instant, self.far.get(profile, instant))

    # --- streams and their fields --------------------------------------------------------------------------------

    def rows_of(self, stream: StreamName) -> Integers:
        """The events of a stream, before any filter."""
        kind, name = stream
        if name is not None:
            return self._pairs.get((kind, name), NOTHING)
        return self.keep(("rows", stream), lambda: self._rows_of_types(_types(stream)))

    def _rows_of_types(self, types: Collection[str]) -> Integers:
        found = [rows for (kind, _), rows in self._pairs.items() if kind in types]
        return np.sort(np.concatenate([NOTHING, *found])) if len(found) != 1 else found[0]

    def field(self, name: FieldName) -> Field:
        """A field of the events of every stream that some rule reads it of."""
        return self.keep(("field", name), lambda: self._field(name))

    def _field(self, name: FieldName) -> Field:
        pairs = [pair for pair in self._pairs if name[1] in self._paths(pair).get(name[0], ())]
        pieces = [(self._pairs[pair], self._fields_of(pair, name[0])[name[1]]) for pair in pairs]
        return self._extractor.field(name, pieces)

    def _fields_of(self, pair: tuple[str, str], source: Source) -> dict[str, Integers]:
        """The fields, by path, of all events of a type and name."""
        key = (pair, source)
        if key not in self._extracted:
            paths = self._paths(pair)[source]
            texts = getattr(self.histories, source).take(pa.array(self._pairs[pair]))
            self._extracted[key] = self._extractor.extract(texts, source, list(paths))
        return self._extracted[key]

    def _paths(self, pair: tuple[str, str]) -> Mapping[Source, Mapping[str, None]]:
        """The fields, by source, that rules read of events of a type and name."""
        return self.keep(("paths", pair), lambda: self._find_paths(pair))

    def _find_paths(self, pair: tuple[str, str]) -> Mapping[Source, Mapping[str, None]]:
        kind, name = pair
        streams: list[StreamName] = [(kind, name), (kind, None)]
        if kind in ACTIVITY:
            streams.append(("activity", None))
        found: dict[Source, dict[str, None]] = {}
        for stream in streams:
            for source, path in self.reads.get(stream, ()):
                found.setdefault(source, {})[path] = None
        return found

    # --- traits --------------------------------------------------------------------------------------------------

    @property
    def identifies(self) -> tuple[Integers, list[dict[str, Any]]]:
        """Rows of the identifies that have traits, and what those are."""
        return self.keep("identifies", self._identifies)

    def _identifies(self) -> tuple[Integers, list[dict[str, Any]]]:
        rows = self._rows_of_types(("identify",))
        texts = self.histories.traits.take(pa.array(rows))
        has_traits = np.asarray(texts.is_valid())
        distinct, place = decoded(texts)
        return rows[has_traits], [distinct[i] for i in place[has_traits].tolist()]

    @property
    def trait_writes(self) -> Mapping[str, tuple[Integers, list[Any]]]:
        """By trait that a rule reads, the identifies (as places in `identifies`) that write it, and what."""
        return self.keep("trait writes", self._trait_writes)

    def _trait_writes(self) -> Mapping[str, tuple[Integers, list[Any]]]:
        found: dict[str, tuple[list[int], list[Any]]] = {field: ([], []) for field in self.fields}
        names = found.keys()
        for place, traits in enumerate(self.identifies[1]):
            for name in names & traits.keys():
                found[name][0].append(place)
                found[name][1].append(traits[name])
        return {name: (np.array(places, np.int64), values) for name, (places, values) in found.items()}

    def column_writes(self, column: str) -> Integers:
        """Identifies (as places in `identifies`) that write a trait which concerns the column."""
        return self.keep(("column", column), lambda: self._column_writes(column))

    def _column_writes(self, column: str) -> Integers:
        concerned: dict[str, bool] = {}
        places = []
        for place, traits in enumerate(self.identifies[1]):
            for name in traits:
                if name not in concerned:
                    concerned[name] = column in columns_of_trait(name)
                if concerned[name]:
                    places.append(place)
                    break
        return np.array(places, np.int64)

    @property
    def devices(self) -> tuple[Integers, list[str]]:
        """Rows of the events whose context names a kind of device, and the kinds."""
        return self.keep("devices", self._devices)

    def _devices(self) -> tuple[Integers, list[str]]:
        encoded = self.histories.context.dictionary_encode()
        kinds = [device_type_of(context) for context in encoded.dictionary.to_pylist()]
        kinds.append(None)
        place = encoded.indices.fill_null(len(kinds) - 1).to_numpy(zero_copy_only=False)
        names = np.array([kind is not None for kind in kinds])[place]
        return np.flatnonzero(names), [kinds[i] or "" for i in place[names].tolist()]

    # --- what rules mention --------------------------------------------------------------------------------------

    def mentioned(self, mentions: Mentions) -> Integers:
        """Rows of the events that a rule mentions."""
        return self.keep(mentions, lambda: self._mentioned(mentions))

    def _mentioned(self, mentions: Mentions) -> Integers:
        identifies = self.identifies[0] if mentions.fields or mentions.columns else NOTHING
        found = [self._pairs.get(pair, NOTHING) for pair in mentions.streams]
        found += [self._rows_of_types((kind,)) for kind in mentions.types]
        found += [identifies[self.trait_writes[field][0]] for field in mentions.fields]
        found += [identifies[self.column_writes(column)] for column in mentions.columns]
        if DEVICE_TYPE in mentions.columns:
            found.append(self.devices[0])
        found = [rows for rows in found if len(rows)]
        if len(found) < 2:
            return found[0] if found else NOTHING
        return distinct(np.concatenate(found))


def _types(stream: StreamName) -> Collection[str]:
    return ACTIVITY if stream[0] == "activity" else (stream[0],)


def rows_by_pair(histories: Histories) -> dict[tuple[str, str], Integers]:
    """The rows of the events of each type and name ("" for none), ascending."""
    types, names = histories.type.dictionary.to_pylist(), histories.name.dictionary.to_pylist()
    width = len(names) + 1
    kind = histories.type.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    name = histories.name.indices.fill_null(width - 1).to_numpy(zero_copy_only=False)
    pair = kind * width + name
    # Few bits are sorted by counting, many by comparing.
    order = np.argsort(pair.astype(np.uint16) if len(types) * width < 1 << 16 else pair, kind="stable")
    ordered = pair[order]
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])) if len(ordered) else NOTHING
    found: dict[tuple[str, str], list[Integers]] = {}
    for code, rows in zip(ordered[starts].tolist(), np.split(order, starts[1:]), strict=True) if len(starts) else ():
        place, named = divmod(code, width)
        key = (types[place], (names[named] or "") if named < width - 1 else "")
        found.setdefault(key, []).append(rows)
    return {key: pieces[0] if len(pieces) == 1 else np.sort(np.concatenate(pieces)) for key, pieces in found.items()}

"""Which of the events, properties and traits that a rule reads occur. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import orjson
import pyarrow as pa

from transforms.explain.mentioned import Mentioned, Property
from transforms.segments.history import Histories, Integers
from transforms.segments.values import path_getter, trait_value

_TEXTS_AT_ONCE = 1 << 10


class Occurrences:
    """Notes what occurs among some profiles. What was found once is not looked for again.

    `event_names`: how many events there are by type and name; `seen`: properties and paths of traits.
    """

    def __init__(self, read: Mentioned) -> None:
        self.event_names = Counter[tuple[str, str]]()
        self.seen = set[Property | str]()
        self._properties = set(read.properties)
        self._traits = set(read.traits)

    def look_for(self, histories: Histories, pairs: Mapping[tuple[str, str], Integers]) -> None:
        """Counts events by name, and notes which of the properties occur. `pairs`: rows by type and name."""
        self.event_names.update({pair: len(rows) for pair, rows in pairs.items()})
        found = {wanted for wanted in self._properties if _occurs(wanted, histories, pairs)}
        self.seen |= found
        self._properties -= found

    def look_for_traits(self, profiles: Iterable[dict[str, Any]]) -> None:
        """Notes which of the traits are there."""
        for traits in profiles if self._traits else ():
            found = {path for path in self._traits if trait_value(traits, path) not in (None, [])}
            self.seen |= found
            self._traits -= found


def _occurs(wanted: Property, histories: Histories, pairs: Mapping[tuple[str, str], Integers]) -> bool:
    rows = pairs.get((wanted.type, wanted.name), ())
    get, texts = path_getter(wanted.path), getattr(histories, wanted.source)
    return any(
        get(orjson.loads(text)) not in (None, [])
        for start in range(0, len(rows), _TEXTS_AT_ONCE)
        for text in texts.take(pa.array(rows[start : start + _TEXTS_AT_ONCE])).drop_null().to_pylist()
    )

"""The engine of a person: what the events come to for the row of `profiles`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from schemas.event import ANONYMOUS_ID, TIMESTAMP
from transforms.profiles.base import Base
from transforms.profiles.evaluate import Evaluation, Summary
from transforms.profiles.history import latest_device_type
from transforms.profiles.history_engine import HistoryEngine
from transforms.profiles.normalize.traits import normalize_traits
from transforms.profiles.rows import TYPED_COLUMNS, json_object
from transforms.records import Record
from transforms.segments.nodes.state import TraitWrite
from transforms.segments.program import Program


class ProfileEngine(HistoryEngine):
    """Steps through a profile's events as they come."""

    def __init__(self, program: Program, profile_id: str, base: Base | None = None) -> None:
        super().__init__(program, profile_id, base)
        self._devices: Counter[str | None] = Counter()
        self._device_type: str | None = None
        self._traits_json = b""
        self._typed: tuple[Any, ...] = ()
        self._summary: Summary | None = None

    def advance(self, added: Sequence[Record], removed: Sequence[Record], now: int | None) -> Evaluation | None:
        """Takes events in and out, and lets time pass until `now`, or the last event if that is later.

        Returns:
            What has changed since the last call; None when no event is left.
        """
        everything = self.take(added, removed)
        records, seen = self._records, self._seen
        if not records and seen.event_count <= 0:
            return None
        now = self._last_seen() if now is None else max(self._last_seen(), now)
        if self._base is not None:
            now = max(self._base.now, now)
        taken = records[self._taken :]
        concerned = self.go(now, everything=everything)
        self._find_expiry(concerned)
        self._compute(now, concerned.computed)
        if concerned.traits or self._has_new_device(taken):
            self._normalise()
        due, members, touched = self.next_change(), sorted(self._stays.open), self.take_touched()
        return Evaluation(self._summed_up(), touched, members, self._typed, self._traits_json, self._computed_json, due)

    def _summed_up(self) -> Summary:
        """The same until events come or go."""
        if self._summary is None:
            records, seen = self._records, self._seen
            devices = seen.devices + self._devices if seen.devices else self._devices
            self._summary = Summary(
                seen.first_seen_at if seen.event_count else records[0][TIMESTAMP],
                self._last_seen(),
                seen.event_count + len(records),
                sorted(name for name, count in devices.items() if count > 0 and name is not None),
            )
        return self._summary

    def _last_seen(self) -> int:
        last: int = self._records[-1][TIMESTAMP] if self._records else self._seen.last_seen_at
        return last

    def _change_records(self, added: Sequence[Record], removed: Sequence[Record]) -> None:
        super()._change_records(added, removed)
        self._devices.subtract(record[ANONYMOUS_ID] for record in removed)
        self._devices.update(record[ANONYMOUS_ID] for record in added)
        self._summary = None

    def _see(self, records: Sequence[Record]) -> None:
        self._seen = self._seen.with_events(records)

    def _forget(self, count: int, ended: int) -> None:
        self._devices.subtract(record[ANONYMOUS_ID] for record in self._records[:count])
        self._devices = +self._devices
        self._summary = None
        super()._forget(count, ended)

    def _has_new_device(self, taken: Sequence[Record]) -> bool:
        return latest_device_type(taken) not in (None, self._device_type)

    def _normalise(self) -> None:
        """The typed columns."""
        device_type = latest_device_type(self._records) or self._seen.device_type
        writes = self._state.writes
        self._device_type = device_type
        self._typed = _typed_columns(writes, device_type) if writes else _without_traits(device_type)
        self._traits_json = json_object(self._state.traits)


def _typed_columns(writes: Mapping[str, TraitWrite], device_type: str | None) -> tuple[Any, ...]:
    typed, _ = normalize_traits(writes, device_type)
    return tuple(typed[name] for name in TYPED_COLUMNS)


@lru_cache(1_024)
def _without_traits(device_type: str | None) -> tuple[Any, ...]:
    """Those of most visitors."""
    return _typed_columns({}, device_type)

"""The watermark of a stream that is read in partitions: event time, with a bound and an idle timeout.

Knows no Beam and reads no clock. What is read moves a partition's watermark to `latest seen - out_of_orderness`. A
partition that the source says is empty, for `idle_timeout` without a break, moves to `when it was last known empty -
out_of_orderness`, so that it does not stall the others. A partition that is merely not being read (behind, or its
broker away) never counts as idle. The stream's watermark is the least of its partitions' and never goes back.

| a partition that | has the watermark |
| --- | --- |
| was never read and is not idle | none: it holds the stream's |
| was read | latest time seen - out_of_orderness |
| is held, because it is read out of order for a while | none |
| has been empty for idle_timeout | last time it was found empty - out_of_orderness, if later |
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import astuple, dataclass

MICROSECONDS_PER_SECOND = 1_000_000


@dataclass(frozen=True, slots=True)
class WatermarkPolicy:
    """How far event times may be out of order before an event is late, and when silence means that there is nothing."""

    out_of_orderness_us: int = 10 * MICROSECONDS_PER_SECOND
    idle_timeout_us: int = 30 * MICROSECONDS_PER_SECOND


@dataclass(slots=True)
class _Partition:
    latest_us: int | None = None
    empty_since_us: int | None = None
    empty_at_us: int | None = None
    held: bool = False

    def watermark_us(self, policy: WatermarkPolicy) -> int | None:
        if self.held:
            return None
        candidates = [] if self.latest_us is None else [self.latest_us]
        if self.empty_at_us is not None and self.empty_at_us - (self.empty_since_us or 0) >= policy.idle_timeout_us:
            candidates.append(self.empty_at_us)
        return max(candidates) - policy.out_of_orderness_us if candidates else None


class StreamWatermark:
    """The watermark of one reader over its partitions.

    Instants are microseconds since the epoch; the present is passed in. `encode` gives the state that the next bundle
    continues from. `latest_element_us` is the greatest element time that was given out.
    """

    def __init__(self, policy: WatermarkPolicy, state: bytes = b"") -> None:
        self._policy = policy
        content = json.loads(state) if state else {"reported": None, "latest_element": None, "partitions": {}}
        self._reported: int | None = content["reported"]
        # Where the runner's watermark stands while this bundle is in work: what it reads moves it only afterwards.
        self._standing = self._reported
        self.latest_element_us: int | None = content["latest_element"]
        self._partitions = {name: _Partition(*fields) for name, fields in content["partitions"].items()}

    def track(self, partitions: Iterable[str]) -> None:
        """Names the partitions that take part. A new one holds the watermark until it is read or idle."""
        self._partitions = {name: self._partitions.get(name) or _Partition() for name in partitions}

    def observe(self, partition: str, latest_us: int, now_us: int) -> None:
        """Records of `partition` were read, the latest of time `latest_us`. A time in the future counts as now."""
        entry = self._partitions[partition]
        latest_us = min(latest_us, now_us)
        entry.latest_us = latest_us if entry.latest_us is None else max(entry.latest_us, latest_us)
        entry.empty_since_us = entry.empty_at_us = None

    def found_empty(self, partition: str, now_us: int) -> None:
        """The source says that `partition` has nothing to read at `now_us`."""
        entry = self._partitions[partition]
        if entry.empty_since_us is None:
            entry.empty_since_us = now_us
        entry.empty_at_us = now_us

    def found_behind(self, partition: str) -> None:
        """`partition` has something that is not read yet: it is not idle."""
        entry = self._partitions[partition]
        entry.empty_since_us = entry.empty_at_us = None

    def hold(self, partition: str, held: bool) -> None:
        """While held, what is read of `partition` does not move the watermark: more of the same age will come."""
        self._partitions[partition].held = held

    def current_us(self) -> int | None:
        """The watermark, or None while a partition is unknown. Never less than any value that it gave before."""
        values = [partition.watermark_us(self._policy) for partition in self._partitions.values()]
        if values and None not in values:
            least = min(value for value in values if value is not None)
            self._reported = least if self._reported is None else max(self._reported, least)
        return self._reported

    def element_time_us(self, event_us: int) -> int:
        """The time of a record's element: its event's, but never before the watermark, so that no runner drops it.

        That is the watermark that stood when the bundle began: an archive that is read in one go has no late events.
        """
        element_us = event_us if self._standing is None else max(event_us, self._standing)
        self.latest_element_us = max(element_us, self.latest_element_us or element_us)
        return element_us

    def encode(self) -> bytes:
        """The state, as the next bundle's `StreamWatermark` takes it."""
        content = {
            "reported": self._reported,
            "latest_element": self.latest_element_us,
            "partitions": {name: astuple(p) for name, p in self._partitions.items()},
        }
        return json.dumps(content, separators=(",", ":")).encode()

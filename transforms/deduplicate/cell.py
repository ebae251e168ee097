"""Stage `messages`: one message id, its copies and its conflicting contents, in any order of arrival.

Which copy stands is decided as in a bounded job. When a better one comes, the one that stood is taken back from
wherever it went; a content that loses becomes a failure, one that wins after all stops being one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Self

import msgspec

from schemas.event import TIMESTAMP
from schemas.failure_reasons import CONFLICTING_DUPLICATE
from schemas.tables import FAILED_EVENTS
from transforms import counting
from transforms.deduplicate.copies import conflict, distinct_contents
from transforms.failed_events import failure_row
from transforms.records import Record
from transforms.state.cell import LAYOUT, Output, RowChanges, checked_layout
from transforms.state.facts import Fact, Message, deduplicate_version
from transforms.stream.stages import record_targets

_ENCODER = msgspec.msgpack.Encoder()
_Packed = tuple[list[tuple[object, ...]], int]
_DECODER = msgspec.msgpack.Decoder(_Packed)
_CONFLICTING = counting.FAILED + CONFLICTING_DUPLICATE
_FAILURES = RowChanges(FAILED_EVENTS.name, 1)


class MessageIdCell:
    """Layout 1: ([record of each content, the standing one first], how often they changed).

    `due` is when the cell may be forgotten.
    """

    due: int | None = None

    def __init__(self, records: list[Record], counter: int = 0) -> None:
        self.records = records
        self.counter = counter
        self.counted: Counter[str] = Counter()

    def pack(self) -> bytes:
        return bytes((LAYOUT,)) + _ENCODER.encode((self.records, self.counter))

    @classmethod
    def unpack(cls, key: str, data: bytes | None) -> Self:
        if not data:
            return cls([])
        _, body = checked_layout(data)
        records, counter = _DECODER.decode(body)
        return cls(records, counter)

    def change(self) -> bytes | None:
        return None

    def apply(self, change: bytes) -> None:
        raise TypeError("the cell of a message id is always packed whole")

    def keeps_until(self, allowed_lateness_us: int) -> int:
        """The instant from which no copy can come any more that is not too late."""
        latest: int = max(record[TIMESTAMP] for record in self.records)
        return latest + allowed_lateness_us + 1

    def handle(self, records: Sequence[Record]) -> list[Output]:
        """Takes in records of this message id: events with their bytes and source."""
        before = self.records
        if not before and len(records) == 1:
            self.records = list(records)
            return [Message(*target) for target in record_targets(self.records[0])]
        self.records = distinct_contents([*before, *records])
        self.counted[counting.DUPLICATE] += len(before) + len(records) - len(self.records)
        self.counted[_CONFLICTING] += max(0, len(self.records) - 1) - max(0, len(before) - 1)
        if self.records == before:
            return []
        self.counter += bool(before)
        return self._standing(before) + self._failures(before)

    def _standing(self, before: list[Record]) -> list[Output]:
        stands = self.records[0]
        if before and before[0] == stands:
            return []
        version = deduplicate_version(self.counter)
        told = Counter(record_targets(before[0])) if before else Counter()
        return [
            *(Message(*target, -1) for target in told),
            *(Message(*target, 1, version) for target in Counter(record_targets(stands))),
        ]

    def _failures(self, before: list[Record]) -> list[Output]:
        if len(before) < 2 and len(self.records) < 2:
            return []
        return [*_FAILURES.updates(_conflicts(before), _conflicts(self.records), self.counter)]


def _conflicts(records: Sequence[Record]) -> dict[tuple[object, ...], Fact]:
    """The rows of the contents that do not stand."""
    rows = [failure_row(conflict(record)) for record in records[1:]]
    return {row[:1]: row for row in rows}

"""Stage `messages`: one message id, its copies and its conflicting contents, in any order of arrival.

Which copy stands is decided as in a bounded job. When a better one comes, the one that stood is taken back from
wherever it went; a content that loses becomes a failure, one that wins after all stops being one. A retract that names
the id takes the standing content out, whichever of them comes first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Self

import msgspec

from schemas.event import MESSAGE_ID, TIMESTAMP, TYPE
from schemas.failure_reasons import CONFLICTING_DUPLICATE
from transforms import counting
from transforms.deduplicate.copies import RAW, conflict, distinct_contents, is_retractable
from transforms.records import Record
from transforms.state.cell import Output, Target, checked_layout, difference
from transforms.state.facts import EVENT, RETRACTION, Message, deduplicate_version
from transforms.stream.rows import no_event_row
from transforms.stream.stages import RETRACTIONS, failure_targets, record_targets, remembered

_ENCODER = msgspec.msgpack.Encoder()
_Contents = list[tuple[object, ...]]
_DECODER = msgspec.msgpack.Decoder(tuple[_Contents, int, list[str]])
_FIRST_DECODER = msgspec.msgpack.Decoder(tuple[_Contents, int])
LAYOUT = 2
_CONFLICTING = counting.FAILED + CONFLICTING_DUPLICATE


class _View(NamedTuple):
    """What a cell comes to: the contents that no retract took out, whether one did, and what retracts are told."""

    contents: list[Record]
    taken: bool
    notes: list[Target]

    @property
    def targets(self) -> list[Target]:
        """What the standing record tells to whom."""
        return record_targets(self.contents[0]) if self.contents else []

    @property
    def conflicts(self) -> Counter[Target]:
        """What the contents that do not stand tell to whom."""
        return Counter(target for record in self.contents[1:] for target in failure_targets(conflict(record)))

    @property
    def is_event(self) -> bool:
        return bool(self.contents) and is_retractable(self.contents[0])


class MessageIdCell:
    """Layout 2: ([record of each content by hash], how often another one stood, [id of each retract that names it]).

    Layout 1 had no retracts. `due` is when the cell may be forgotten.
    """

    due: int | None = None

    def __init__(self, records: list[Record], counter: int = 0, retracts: Iterable[str] = ()) -> None:
        self.records = records
        self.counter = counter
        self.retracts = set(retracts)
        self.counted: Counter[str] = Counter()

    def pack(self) -> bytes:
        return self.packed(self.records, self.counter, sorted(self.retracts))

    @staticmethod
    def packed(records: Sequence[Record], counter: int = 0, retracts: Sequence[str] = ()) -> bytes:
        """A cell as bytes, of what it holds."""
        return bytes((LAYOUT,)) + _ENCODER.encode((records, counter, retracts))

    @classmethod
    def unpack(cls, key: str, data: bytes | None) -> Self:
        if not data:
            return cls([])
        layout, body = checked_layout(data, LAYOUT)
        return cls(*(_DECODER if layout == LAYOUT else _FIRST_DECODER).decode(body))

    def change(self) -> bytes | None:
        return None

    def apply(self, change: bytes) -> None:
        raise TypeError("the cell of a message id is always packed whole")

    def reminder(self) -> bytes | None:
        """What has to be known of an id whose copies cannot come any more, in case a retract names it; None: nothing.

        Of an event its ids and its time: whoever has it finds it by these. Where several contents are known, all of
        them, since another one stands once the first is taken out.
        """
        if not self.records:
            return None
        records = self.records if len(self.records) > 1 else [remembered(self.records[0])]
        return MessageIdCell(records, self.counter, self.retracts).pack()

    def restore(self, reminders: Iterable[bytes]) -> None:
        """Takes back what was put away of an id that was forgotten."""
        for reminder in reminders:
            known = MessageIdCell.unpack("", reminder)
            self.records, self.counter = known.records, max(known.counter, self.counter)
            self.retracts |= known.retracts

    def handle(self, records: Sequence[Record], retracts: Sequence[str] = ()) -> list[Output]:
        """Takes in records of this message id, and ids of retracts that name it."""
        held = self.records
        if not held and not self.retracts and not retracts and len(records) == 1:
            self.records = list(records)
            return [Message(*target) for target in record_targets(self.records[0])]
        before = self._view()
        self.retracts.update(retracts)
        if records and not self._is_remembered():
            self.records = distinct_contents([*held, *records])
        after = self._view()
        self.counted[counting.DUPLICATE] += len(held) + len(records) - len(self.records)
        self.counted[counting.RETRACTED] += after.taken - before.taken
        self.counted[_CONFLICTING] += max(0, len(after.contents) - 1) - max(0, len(before.contents) - 1)
        if before == after:
            return []
        # Not with every content that loses: a client that gives all events one id sends thousands of those.
        self.counter += bool(held) and before.contents[:1] != after.contents[:1]
        why = RETRACTION if after.taken and not before.taken else EVENT
        conflicts = difference(before.conflicts, after.conflicts)
        return [*self._standing(before, after, why), *_told(before.notes, after.notes), *conflicts]

    def _is_remembered(self) -> bool:
        """Whether only a reminder is left: what comes for that id now, after all that time, counts as its copy."""
        return bool(self.records) and not self.records[0][RAW]

    def _view(self) -> _View:
        if not self.records or not self.retracts:
            return _View(self.records, False, [])
        taken = is_retractable(self.records[0])
        fact = ("found" if taken else "final", self.records[0][MESSAGE_ID])
        notes = [(RETRACTIONS, retract, fact) for retract in sorted(self.retracts)]
        return _View(self.records[taken:], taken, notes)

    def _standing(self, before: _View, after: _View, why: str) -> list[Output]:
        if before.contents[:1] == after.contents[:1]:
            return []
        version = deduplicate_version(self.counter)
        found: list[Output] = [Message(*target, -1, 0, why) for target in before.targets]
        found += [Message(*target, 1, version, why) for target in after.targets]
        if before.is_event and not after.is_event:
            found.append(no_event_row(before.contents[0][MESSAGE_ID], version))
        return found


def _told(before: list[Target], after: list[Target]) -> list[Message]:
    gone = [Message(*target, -1) for target in before if target not in after]
    return gone + [Message(*target) for target in after if target not in before]


def keeps_until(records: Sequence[Record], allowed_lateness_us: int) -> int | None:
    """The instant from which no copy of records of one id can come any more that is not too late; None: never.

    A retract may come at any time. For aliases, which are few, it is waited for without end.
    """
    if not records or any(record[TYPE] == "alias" for record in records):
        return None
    latest: int = max(record[TIMESTAMP] for record in records)
    return latest + allowed_lateness_us + 1


def keeps_one_until(record: Record, allowed_lateness_us: int) -> int | None:
    """`keeps_until` of one record."""
    if record[TYPE] == "alias":
        return None
    latest: int = record[TIMESTAMP]
    return latest + allowed_lateness_us + 1

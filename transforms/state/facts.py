"""Facts and how they travel: every stage of the stream is a function of a set of facts, kept up to date.

A stage's cell holds the facts that it was told, each with a count. What follows from them is derived from the set
alone, never from the order in which it came; when facts come or go, the cell tells the next stages the difference. A
message adds 1 to a fact's count or takes 1 away, so messages may overtake each other: the sum is the same.

Versions order what is said about one event by the cells that it passes: a cell's own counter stands in the bits below
those of the cell before it, so whoever decided later, higher up, wins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import msgspec

from schemas.event import Event
from schemas.stamp import packed_of, stamped

Fact = tuple[Any, ...]
"""(kind, field, ...): text, whole numbers, bytes and None only."""

EVENT = "event"
MERGE = "merge"
DELETED = "deleted"
RETRACTION = "retraction"
SEGMENT_CHANGED = "segment_changed"
"""Why a message was sent: an event came, a link or alias moved it, a deletion erased it, a retract took one out, or the
rules are others."""

DEVICE_SHIFT = 25
DEDUPLICATE_SHIFT = 50
_MOST = (1 << 25) - 1
_MOST_FIRST = (1 << 13) - 1


class Message(NamedTuple):
    """One fact more (`sign` 1) or less (-1) for the cell `key` of `stage`."""

    stage: str
    key: str
    fact: Fact
    sign: int = 1
    version: int = 0
    why: str = EVENT


def deduplicate_version(counter: int) -> int:
    """The version of what the cell of a message id says."""
    return min(counter, _MOST_FIRST) << DEDUPLICATE_SHIFT


def device_version(before: int, counter: int) -> int:
    """The version of what a device (or the registry) says of an event that came with version `before`."""
    return before | min(counter, _MOST) << DEVICE_SHIFT


def user_version(before: int, counter: int) -> int:
    """The version of what a user's cell says of an event that came with version `before`."""
    return before | min(counter, _MOST)


def event_counters(version: int) -> tuple[int, int, int]:
    """What stands in an event's version: the counters of the cells of its message id, its device and its user."""
    return version >> DEDUPLICATE_SHIFT, version >> DEVICE_SHIFT & _MOST, version & _MOST


def event_fact(event: Iterable[Any]) -> Fact:
    """An event as a fact."""
    return (EVENT, *event)


def event_of(fact: Fact) -> Fact:
    """The event of a fact, as a plain tuple."""
    return fact[1 : 1 + len(Event._fields)]


class Facts:
    """A multiset of facts. Counts below zero are kept: the fact is still on its way."""

    __slots__ = ("_changed", "_is_new", "_kinds")

    def __init__(self) -> None:
        self._kinds: dict[str, dict[Fact, tuple[int, int]]] = {}
        self._changed: set[Fact] = set()
        self._is_new = True
        """Whether nobody knows of any of them: then what has changed is all that there is."""

    def take_first(self, messages: Iterable[Message]) -> bool:
        """`take` of all messages, where nothing was told before; else False, and nothing is taken.

        A fact is a long tuple: here its hash is asked for once.
        """
        if self._kinds or not self._is_new:
            return False
        for _, _, fact, sign, version, _ in messages:
            facts = self._kinds.get(fact[0])
            if facts is None:
                facts = self._kinds[fact[0]] = {}
            entry = (sign, version)
            if facts.setdefault(fact, entry) is not entry:
                self.take(fact, sign, version)
        return True

    def take(self, fact: Fact, sign: int, version: int = 0) -> None:
        """Counts a fact up or down; of its versions the greatest is kept."""
        facts = self._kinds.setdefault(fact[0], {})
        count, known = facts.get(fact, (0, 0))
        self._note(fact)
        newest = max(known, version)
        if count + sign or newest:
            # Also with a count of zero: an older message of the fact may still be on its way.
            facts[fact] = (count + sign, newest)
        else:
            del facts[fact]

    def forget(self, fact: Fact) -> None:
        """Takes a fact away, whatever its count."""
        self._note(fact)
        self._kinds.get(fact[0], {}).pop(fact, None)

    def _note(self, fact: Fact) -> None:
        if not self._is_new:
            self._changed.add(fact)

    def leave_behind(self, kind: str, goes: Callable[[Fact], bool]) -> list[tuple[Fact, int, int]]:
        """Takes out the facts of a kind for which `goes`, and returns them; no change tells of it."""
        facts = self._kinds.get(kind, {})
        gone = [(fact, count, version) for fact, (count, version) in facts.items() if goes(fact)]
        for fact, _, _ in gone:
            del facts[fact]
            self._changed.discard(fact)
        return gone

    def is_empty(self) -> bool:
        """Whether nothing was ever told."""
        return not any(self._kinds.values())

    def size(self, *kinds: str) -> int:
        """How many facts of these kinds there are, standing or not."""
        size = 0
        for kind in kinds:
            size += len(self._kinds.get(kind, ()))
        return size

    def of(self, kind: str) -> list[Fact]:
        """The facts of a kind that stand."""
        return [fact for fact, (count, _) in self._kinds.get(kind, {}).items() if count > 0]

    def counted_of(self, kind: str) -> list[Fact]:
        """The facts of a kind that there are, standing or not."""
        return list(self._kinds.get(kind, ()))

    def count(self, fact: Fact) -> int:
        return self._kinds.get(fact[0], {}).get(fact, (0, 0))[0]

    def version(self, fact: Fact) -> int | None:
        """The version of a fact that stands; None for one that does not."""
        count, version = self._kinds.get(fact[0], {}).get(fact, (0, 0))
        return version if count > 0 else None

    def standing(self, kind: str) -> Iterator[tuple[Fact, int]]:
        """The facts of a kind that stand, with their versions."""
        return ((fact, version) for fact, (count, version) in self._kinds.get(kind, {}).items() if count > 0)

    def counted(self) -> list[tuple[Fact, int, int]]:
        """Everything, for packing."""
        return [(fact, count, version) for facts in self._kinds.values() for fact, (count, version) in facts.items()]

    def changes(self) -> list[tuple[Fact, int, int]]:
        """The facts whose counts have changed since the last call, with their counts now (0: forget it)."""
        if self._is_new:
            self._is_new = False
            return self.counted()
        changed, self._changed = self._changed, set()
        return [(fact, *self._kinds.get(fact[0], {}).get(fact, (0, 0))) for fact in changed]

    def settle_changes(self) -> None:
        """What has changed until now is known."""
        self._is_new = False
        self._changed = set()

    def apply(self, changes: Iterable[tuple[Fact, int, int]]) -> None:
        """Takes in what `changes` gave."""
        self._is_new = False
        for fact, count, version in changes:
            facts = self._kinds.setdefault(fact[0], {})
            if count or version:
                facts[fact] = (count, version)
            else:
                facts.pop(fact, None)

    @classmethod
    def restore(cls, counted: Iterable[tuple[Fact, int, int]]) -> Facts:
        """What `counted` gave."""
        facts = cls()
        facts._is_new = False
        for fact, count, version in counted:
            facts._kinds.setdefault(fact[0], {})[fact] = (count, version)
        return facts


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(list[Message])


def pack_messages(messages: Iterable[Message], came_us: int = 0) -> bytes:
    """Messages as bytes, stamped with when that came in from which they follow."""
    return stamped(_ENCODER.encode(list(messages)), came_us)


def unpack_messages(data: bytes) -> list[Message]:
    """What `pack_messages` was given."""
    return _DECODER.decode(packed_of(data))

"""Where conditions are asked: of whom, and over which stretch of time each.

In the root scope the owners are the profiles, each from its first event on. Inside a `where` they are the events (of
the enclosing stream) that are asked about, each over the time in which it counts: positions are then counted from the
beginning of that time, so that many owners fit on one line.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np

from transforms.segments.history.caches import Cache
from transforms.segments.history.histories import Flags, Integers
from transforms.segments.history.steps import Steps
from transforms.segments.history.timeline import LINE_END, NOTHING, Truth, ranges
from transforms.segments.history.world import World

Answer = TypeVar("Answer")

MOST_PAIRS = 1 << 21
"""How many (owner, thing that concerns it) are looked at in one go; more owners are taken in halves."""

Found = tuple[Integers, Integers]
"""Events that explain an answer: places in the list of points that was asked, and rows of events."""

NOBODY: Found = (NOTHING, NOTHING)


UNKNOWN = object()
"""Not a value: what does not depend on events alone."""

EITHER, ONLY_FALSE = frozenset((True, False)), frozenset((False,))
"""What a condition may be."""


class TooWideError(Exception):
    """The scope has more owners than can be asked in one go."""


@dataclass(frozen=True, slots=True)
class Part:
    """A condition in a scope: where it holds, and which events make it hold (or not hold) at given points.

    `explain(points, wanted)`: it is known that the condition is `wanted` at all of the points.
    """

    truth: Truth
    explain: Callable[[Integers, bool], Found]


def no_events(points: Integers, wanted: bool) -> Found:
    """What nothing but the profile itself explains."""
    return NOBODY


class Condition(Hashable, Protocol):
    """A compiled condition. Equal ones are one object.

    `later`: of an event inside a `where`, no event that explains the answer is earlier than that event.
    `initially`: what it may be of a profile without any event that it reads.
    """

    @property
    def later(self) -> bool: ...

    @property
    def initially(self) -> frozenset[bool]: ...

    def part(self, scope: Scope) -> Part: ...


class Scalar(Hashable, Protocol):
    """A compiled scalar; `later` as of conditions. `default`: its value without any event; UNKNOWN: it may be any."""

    @property
    def later(self) -> bool: ...

    @property
    def default(self) -> Any: ...

    def steps(self, scope: Scope) -> Steps: ...

    def explain(self, scope: Scope, points: Integers) -> Found: ...


class Scope(Cache):
    """Owners on a line of their own.

    Attributes:
        span: the length of an owner's stretch.
        zero: for each owner, the position on the root's line that its stretch begins at.
        whole: the time over which each is asked.
        profile: the owner's profile.
        row: the event that is asked about; None in the root. `parent_row`: the event that encloses it.
    """

    def __init__(
        self,
        world: World,
        span: int,
        zero: Integers,
        whole: Truth,
        profile: Integers,
        row: Integers | None = None,
        parent_row: Integers | None = None,
        root: Scope | None = None,
    ) -> None:
        super().__init__()
        self.world, self.span, self.zero, self.whole = world, span, zero, whole
        self.profile, self.row, self.parent_row = profile, row, parent_row
        self._root = root

    def __len__(self) -> int:
        return len(self.zero)

    @property
    def root(self) -> Scope:
        return self if self._root is None else self._root

    def part(self, condition: Condition) -> Part:
        """The condition's part, worked out once."""
        return self.keep(condition, lambda: condition.part(self))

    def steps(self, scalar: Scalar) -> Steps:
        """The scalar's steps, worked out once."""
        return self.keep(scalar, lambda: scalar.steps(self))

    def inside(self, owner: Integers, start: Integers, end: Integers, row: Integers) -> Scope:
        """The scope of events (by their rows) of some owners, each over [start, end) of this line.

        Raises:
            TooWideError: they do not fit on one line.
        """
        count = len(owner)
        span = int((end - start).max(initial=0)) + 1
        if count > 1 and count * span >= LINE_END:
            raise TooWideError
        base = np.arange(count, dtype=np.int64) * span
        zero = self.zero[owner] + (start - owner * self.span)
        parent_row = None if self.row is None else self.row[owner]
        whole = Truth(base, base + (end - start))
        return Scope(self.world, span, zero, whole, self.profile[owner], row, parent_row, self.root)

    def to_root(self, points: Integers) -> Integers:
        """Positions on the root's line."""
        owner = points // self.span
        return self.zero[owner] + (points - owner * self.span)

    def position(self, owner: Integers, instant: Integers) -> Integers:
        """Positions of instants (microseconds), which may lie outside the owner's stretch."""
        world = self.world
        on_root = self.profile[owner] * world.span + (instant - world.origin)
        return on_root - self.zero[owner] + owner * self.span

    def until(self, at: Integers) -> Integers:
        """Until when what begins at each of the sorted points stands: the owner's next, or the end of its time."""
        if not len(at):
            return NOTHING
        owner = at // self.span
        same = np.append(owner[1:] == owner[:-1], False)
        return np.where(same, np.append(at[1:], 0), self.whole.end[owner])

    def lift_truth(self, truth: Truth) -> Truth:
        """What holds of the owners' profiles, here.

        Raises:
            TooWideError: it changes too often for so many owners.
        """
        end = self.zero + (self.whole.end - self.whole.start)
        first, last = truth.end.searchsorted(self.zero, "right"), truth.start.searchsorted(end, "left")
        owner, place = self.pairs(first, last)
        here = owner * self.span - self.zero[owner]
        return Truth(
            np.maximum(truth.start[place], self.zero[owner]) + here, np.minimum(truth.end[place], end[owner]) + here
        )

    def lift_steps(self, steps: Steps) -> Steps:
        """A scalar of the owners' profiles, here: its value at the beginning, then its changes."""
        end = self.zero + (self.whole.end - self.whole.start)
        first, last = steps.at.searchsorted(self.zero, "right") - 1, steps.at.searchsorted(end, "left")
        at_first = steps.codes_at(self.zero, self.world.span)
        owner, place = self.pairs(first, last)
        is_first = place == first[owner]
        if len(steps.at):
            safe = np.maximum(place, 0)
            at = np.where(is_first, self.zero[owner], steps.at[safe])
            code = np.where(is_first, at_first[owner], steps.code[safe])
        else:
            at, code = self.zero[owner], at_first[owner]
        return Steps(at - self.zero[owner] + owner * self.span, code, [*steps.values, steps.default], steps.default)

    def pairs(self, first: Integers, last: Integers) -> Found:
        """(number, place) of every place in [first, last) of each of several lists, one or more for each owner.

        Raises:
            TooWideError: there are too many, and more than one owner.
        """
        if len(self) > 1 and np.maximum(last - first, 0).sum() > MOST_PAIRS:
            raise TooWideError
        return ranges(first, last)

    def of_owners(self, flags: Flags) -> Truth:
        """Of some owners always, of the others never."""
        return Truth(self.whole.start[flags], self.whole.end[flags])


def root_scope(world: World) -> Scope:
    """The scope of the profiles themselves."""
    return Scope(world, world.span, world.base, Truth(world.begins, world.never), np.arange(world.count))


def in_parts(count: int, ask: Callable[[Integers], Answer]) -> list[Answer]:
    """Asks about the places below `count`, in halves of halves where they are too many to be asked in one go."""
    waiting = [np.arange(count)]
    answers = []
    while waiting:
        chosen = waiting.pop()
        try:
            answers.append(ask(chosen))
        except TooWideError:
            if len(chosen) < 2:
                raise
            middle = len(chosen) // 2
            waiting += [chosen[middle:], chosen[:middle]]
    return answers

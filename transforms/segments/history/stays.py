"""From a rule's truth to the stays in its segment: who may be in it, expiry, longest stay, pause before the next.

Each stay is told with the events that made it true, those of the instant that it ended at, and what caused both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from transforms.segments.accumulators.accumulator import WITNESSES
from transforms.segments.history.histories import CAUSES, NO_INSTANT, Flags, Integers, Ragged
from transforms.segments.history.scope import Condition, Found, Part, Scope, no_events
from transforms.segments.history.timeline import FALSE, NOTHING, Truth, distinct, ranges
from transforms.segments.history.world import World
from transforms.segments.language import ast
from transforms.segments.mentions import Mentions

MOST_STAYS_AHEAD = 100
"""After so many stays in the future nobody looks further: a rule that holds for ever pauses for ever, too."""

_EVENT, _TIME, _EXPIRED = (CAUSES.index(cause) for cause in ("event", "time", "segment_expired"))


class Told(NamedTuple):
    """The stays of all profiles, future ones included; the events that made each true (none of future ones).

    `known_until`: by profile, the position after which `truth` is not known, where that is before its end.
    """

    truth: Truth
    enter_rows: Ragged
    known_until: dict[int, int]


NOBODY_STAYS = Told(FALSE, Ragged(np.zeros(1, np.int64), NOTHING), {})


class Columns(NamedTuple):
    """The stays that have begun at `as_of`, as in `Evaluated`."""

    profile: Integers
    entered_at: Integers
    exited_at: Integers
    expires_at: Integers
    enter_cause: npt.NDArray[np.int8]
    exit_cause: npt.NDArray[np.int8]
    enter_rows: Ragged
    exit_rows: Ragged
    undecided: Flags


@dataclass(eq=False)
class Stays:
    """One segment. `condition`: its rule; None of a static one. `builds_on`: the segments that the rule reads."""

    definition: ast.SegmentDefinition
    condition: Condition | None
    mentions: Mentions
    builds_on: tuple[Stays, ...]

    def of(self, root: Scope) -> Told:
        """When each profile is in the segment."""
        return root.world.keep(self, lambda: self._told(root))

    def _told(self, root: Scope) -> Told:
        world, part = root.world, self._part(root)
        if not len(part.truth) and not self.builds_on:
            return NOBODY_STAYS
        truth, known_until = self._limited(world, part.truth)
        for other in self.builds_on:
            for profile, until in other.of(root).known_until.items():
                known_until[profile] = min(until, known_until.get(profile, until))
        begun = truth.start % world.span + world.origin <= world.as_of
        place, rows = part.explain(truth.start[begun], True)
        found = first_of_each((np.flatnonzero(begun)[place], rows), len(truth))
        return Told(truth, found, known_until)

    def _part(self, root: Scope) -> Part:
        world, definition = root.world, self.definition
        if self.condition is None:
            members = definition.members or frozenset()
            is_member = [
                name.startswith("user:") and name.removeprefix("user:") in members
                for name in world.histories.profile_ids
            ]
            return Part(root.of_owners(np.array(is_member, bool)), no_events)
        if True not in self.condition.initially and not len(world.mentioned(self.mentions)):
            return Part(FALSE, no_events)
        return root.part(self.condition)

    # --- the options ---------------------------------------------------------------------------------------------

    def _limited(self, world: World, truth: Truth) -> tuple[Truth, dict[int, int]]:
        definition = self.definition
        start, end = truth.start, truth.end
        if not definition.anonymous:
            of_users = world.are_users[start // world.span]
            start, end = start[of_users], end[of_users]
        if definition.expires is not None:
            age = min(max(definition.expires - world.origin, 0), world.span - 1)
            end = np.minimum(end, start // world.span * world.span + age)
            lasts = start < end
            start, end = start[lasts], end[lasts]
        if definition.reentry_after is not None and len(start):
            return self._paused(world, Truth(start, end))
        if definition.max_membership is not None:
            end = np.minimum(end, start + definition.max_membership)
        return Truth(start, end), {}

    def _paused(self, world: World, truth: Truth) -> tuple[Truth, dict[int, int]]:
        """Stays with a pause before the next: one profile after the other, few intervals each."""
        pause, longest = self.definition.reentry_after or 0, self.definition.max_membership
        starts, ends = list[int](), list[int]()
        known_until = dict[int, int]()
        owner, earliest, ahead = -1, 0, 0
        for start, end in zip(truth.start.tolist(), truth.end.tolist(), strict=True):
            profile = start // world.span
            if profile != owner:
                owner, earliest, ahead = profile, 0, 0
            base = profile * world.span
            known_end, never = base + world.as_of - world.origin, base + world.span - 1
            while (begins := max(start, earliest)) < end:
                leaves = end if longest is None else min(end, begins + longest)
                ahead += begins > known_end
                if ahead > MOST_STAYS_AHEAD:
                    break
                starts.append(begins)
                ends.append(leaves)
                earliest = leaves + pause
            if ahead > MOST_STAYS_AHEAD or (end == never and longest is not None):
                known_until[profile] = min(max(earliest - pause, known_end), never - 1)
        return Truth(np.array(starts, np.int64), np.array(ends, np.int64)), known_until

    # --- as columns ----------------------------------------------------------------------------------------------

    def columns(self, root: Scope) -> Columns | None:
        """The stays that have begun; None where there is none."""
        world, told = root.world, self.of(root)
        span, origin = world.span, world.origin
        begun = np.flatnonzero(told.truth.start % span + origin <= world.as_of) if len(told.truth) else NOTHING
        if not len(begun):
            return None
        start, end = told.truth.start[begun], told.truth.end[begun]
        profile = start // span
        exits, never = end % span + origin, end % span == span - 1
        out = exits <= world.as_of
        mentioned = world.mentioned(self.mentions)
        on_line = world.on_line[mentioned]
        exit_rows = self._exit_rows(on_line, mentioned, np.where(out, end, -1))
        by_event = on_line.searchsorted(start, "left") < on_line.searchsorted(start, "right")
        by_event |= start == world.begins[profile]
        return Columns(
            profile,
            start - profile * span + origin,
            np.where(out, exits, NO_INSTANT),
            np.where(out, NO_INSTANT, self._expiry(exits, never)),
            np.where(by_event, _EVENT, _TIME).astype(np.int8),
            self._exit_causes(exits, out, np.diff(exit_rows.offsets) > 0),
            _chosen(told.enter_rows, begun),
            exit_rows,
            self._undecided(told, profile, end) & ~out,
        )

    @staticmethod
    def _exit_rows(on_line: Integers, mentioned: Integers, end: Integers) -> Ragged:
        first, last = on_line.searchsorted(end, "left"), on_line.searchsorted(end, "right")
        place, at = ranges(first, last, WITNESSES)
        return _ragged(place, mentioned[at], len(end))

    def _expiry(self, exits: Integers, never: Flags) -> Integers:
        """When stays end; one whose end lies beyond the line, by the segment's own end."""
        expires = self.definition.expires
        return np.where(never, NO_INSTANT if expires is None else expires, exits)

    def _exit_causes(self, exits: Integers, out: Flags, by_event: Flags) -> npt.NDArray[np.int8]:
        expires = self.definition.expires
        by_time = np.full(len(exits), _TIME) if expires is None else np.where(exits >= expires, _EXPIRED, _TIME)
        return np.where(out, np.where(by_event, _EVENT, by_time), -1).astype(np.int8)

    @staticmethod
    def _undecided(told: Told, profile: Integers, end: Integers) -> Flags:
        """Whether a stay lasts longer than is known of what it builds on."""
        if not told.known_until:
            return np.zeros(len(profile), bool)
        known = [told.known_until.get(owner) for owner in profile.tolist()]
        return np.array([until is not None and at > until for until, at in zip(known, end.tolist(), strict=True)], bool)


def first_of_each(found: Found, count: int) -> Ragged:
    """The earliest distinct events of each place, as many as are named."""
    place, rows = found
    if not len(place):
        return Ragged(np.zeros(count + 1, np.int64), NOTHING)
    width = int(rows.max()) + 1
    pair = place * width + rows
    if not (pair[1:] > pair[:-1]).all():
        pair = distinct(pair)
    place, rows = pair // width, pair % width
    number = np.arange(len(place)) - place.searchsorted(place, "left")
    named = number < WITNESSES
    return _ragged(place[named], rows[named], count)


def _ragged(place: Integers, numbers: Integers, count: int) -> Ragged:
    """Numbers in order of their places, of which there are so many."""
    return Ragged(np.concatenate(([0], np.cumsum(np.bincount(place, minlength=count)))), numbers)


def _chosen(ragged: Ragged, places: Integers) -> Ragged:
    place, at = ranges(ragged.offsets[places], ragged.offsets[places + 1])
    return _ragged(place, ragged.numbers[at], len(places))

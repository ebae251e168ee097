"""The stays of a profile in a running engine, and which of them have changed since they were last told."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import replace
from operator import attrgetter
from types import MappingProxyType
from typing import NamedTuple

from transforms.segments.nodes.state import Change
from transforms.segments.replay import MembershipInterval

StayKey = tuple[str, int]
"""(segment, entered_at)."""


class StayMark(NamedTuple):
    """A place to go back to: how many stays had ended, and which lasted."""

    ended: int
    open: dict[str, MembershipInterval]


class StayList:
    """Stays that have ended, in that order, and those that last, by segment; `at_first` those that last from before."""

    def __init__(self, at_first: Mapping[str, MembershipInterval] = MappingProxyType({})) -> None:
        self._at_first = at_first
        self.open: dict[str, MembershipInterval] = dict(at_first)
        self._ended: list[MembershipInterval] = []
        self._touched: dict[StayKey, MembershipInterval | None] = {
            (stay.segment, stay.entered_at): stay for stay in at_first.values()
        }

    def take_in(self, changes: Iterable[Change]) -> None:
        """Entries and exits, in order of time."""
        for change in changes:
            if change.entered:
                found = (change.segment, change.at, None, None, change.message_ids, (), change.cause, None)
                stay = MembershipInterval(*found, change.times)
                self.open[change.segment] = stay
            else:
                stay = replace(
                    self.open.pop(change.segment),
                    exited_at=change.at,
                    expires_at=None,
                    exit_message_ids=change.message_ids,
                    exit_cause=change.cause,
                )
                self._ended.append(stay)
            self._touched[stay.segment, stay.entered_at] = stay

    def mark(self) -> StayMark:
        return StayMark(len(self._ended), dict(self.open))

    def mark_at(self, mark: StayMark | None) -> StayMark:
        """The mark; None: that of the beginning."""
        return mark or StayMark(0, dict(self._at_first))

    def go_back(self, mark: StayMark | None) -> None:
        """Undoes what came after the mark; None: everything but what was there at first."""
        ended, was_open = self.mark_at(mark)
        for stay in (*self._ended[ended:], *self.open.values()):
            self._touched[stay.segment, stay.entered_at] = None
        del self._ended[ended:]
        self.open = dict(was_open)
        for stay in self.open.values():
            self._touched[stay.segment, stay.entered_at] = stay

    def middle_exit(self, least: int) -> int | None:
        """When the half of the stays that have ended had ended; None where they are fewer than `least`."""
        return self._ended[(len(self._ended) - 1) // 2].exited_at if len(self._ended) >= least else None

    def leave_behind(self, until: int, at_first: Mapping[str, MembershipInterval]) -> int:
        """Forgets the stays that had ended by then, when those of `at_first` lasted; how many there were."""
        count = bisect_right(self._ended, until, key=attrgetter("exited_at"))
        del self._ended[:count]
        self._at_first = at_first
        return count

    def is_new(self, segment: str) -> bool:
        """Whether the stay that lasts has been touched since the last telling."""
        return (segment, self.open[segment].entered_at) in self._touched

    def set_expiry(self, stays: Iterable[MembershipInterval]) -> None:
        """Open stays with their `expires_at`."""
        for stay in stays:
            if self.open[stay.segment].expires_at != stay.expires_at:
                self.open[stay.segment] = self._touched[stay.segment, stay.entered_at] = stay

    def take_touched(self) -> dict[StayKey, MembershipInterval | None]:
        """The stays that may differ from what was told last; None: it never was."""
        touched, self._touched = self._touched, {}
        return touched

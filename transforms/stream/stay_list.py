"""The stays of a profile in a running engine, and which of them have changed since they were last told."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from transforms.segments.replay import MembershipInterval
from transforms.segments.state import Change

StayKey = tuple[str, int]
"""(segment, entered_at)."""


class StayMark(NamedTuple):
    """A place to go back to: how many stays had ended, and which lasted."""

    ended: int
    open: dict[str, MembershipInterval]


class StayList:
    """Stays that have ended, in that order, and those that last, by segment."""

    def __init__(self) -> None:
        self.open: dict[str, MembershipInterval] = {}
        self._ended: list[MembershipInterval] = []
        self._touched: dict[StayKey, MembershipInterval | None] = {}

    def take_in(self, changes: Iterable[Change]) -> None:
        """Entries and exits, in order of time."""
        for change in changes:
            if change.entered:
                stay = MembershipInterval(
                    change.segment, change.at, None, None, change.message_ids, (), change.cause, None
                )
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

    def go_back(self, mark: StayMark | None) -> None:
        """Undoes what came after the mark; None: everything."""
        ended, was_open = mark or StayMark(0, {})
        for stay in (*self._ended[ended:], *self.open.values()):
            self._touched[stay.segment, stay.entered_at] = None
        del self._ended[ended:]
        self.open = dict(was_open)
        for stay in self.open.values():
            self._touched[stay.segment, stay.entered_at] = stay

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

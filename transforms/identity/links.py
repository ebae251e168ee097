"""Who stood behind a device at an instant. Pure: links in, users out."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import NamedTuple

DAY_US = 24 * 3600 * 1_000_000
DEFAULT_STITCH_WINDOW_US = 30 * DAY_US


BEFORE, AFTER = 1, 2
BOTH = BEFORE | AFTER


class Link(NamedTuple):
    """From `timestamp` on (microseconds) the user is behind the device, until another link says otherwise.

    `stands`: in the resolution of identity BEFORE erasure, in that AFTER it (if it is not erased), or in BOTH.
    """

    timestamp: int
    message_id: str
    user_id: str
    stands: int = BOTH


class DeviceLinks:
    """All links of one anonymous id."""

    __slots__ = ("_links", "_times")

    def __init__(self, links: Iterable[Link]) -> None:
        self._links = sorted(links)
        self._times = [link.timestamp for link in self._links]

    def owner(self, timestamp: int, stitch_window_us: int = DEFAULT_STITCH_WINDOW_US) -> str | None:
        """The user to whom an anonymous event at `timestamp` belongs; None: to nobody.

        The user of the latest link at or before it; where there is none, of the earliest later link, if that came no
        more than the stitch window afterwards.
        """
        if not self._links:
            return None
        place = bisect_right(self._times, timestamp)
        if place:
            return self._links[place - 1].user_id
        first = self._links[0]
        return first.user_id if first.timestamp - timestamp <= stitch_window_us else None

    def latest_user(self, timestamp: int) -> str | None:
        """The user of the latest link at or before an instant."""
        place = bisect_right(self._times, timestamp)
        return self._links[place - 1].user_id if place else None

    def users(self) -> set[str]:
        """Everybody who was ever behind the device."""
        return {link.user_id for link in self._links}

    def add(self, link: Link) -> None:
        """Takes in one more link."""
        place = bisect_left(self._links, link)
        self._links.insert(place, link)
        self._times.insert(place, link.timestamp)

    def is_stitched(self, timestamp: int) -> bool:
        """Whether an event at `timestamp` came before the first link."""
        return bool(self._links) and timestamp < self._times[0]

    def distinct(self) -> list[Link]:
        """One link per user and instant: of those with the same, the one with the smallest message id; in order."""
        kept: dict[tuple[int, str], Link] = {}
        for link in self._links:
            kept.setdefault((link.timestamp, link.user_id), link)
        return list(kept.values())

"""Bins over days, however far apart these are: nothing here or in what is drawn of it loops over time itself.

Days are numbers since the epoch. A few thousand years between two events (a wrong clock, a default value) would
make a bin of centuries of everything that matters. So what lies far from all the rest is set apart and named, and what
is left gets bins of a day, or of as many days as it takes for there to be few enough.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta

MOST_BINS = 800
_WIDTHS = (1, 7, 28, 91, 364, 3_640, 36_400)
"""Days that a bin may have; with the last one, all of the calendar is a hundred bins."""
_FAR = 10
_LEAST_DAYS = 366
"""Far is what lies more than ten times the middle half of all, or ten years, beyond that half."""
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Timeline:
    """Bins of `width` days from the day `first` on. `far`: days, with their counts, that are in none of them."""

    first: int
    width: int
    count: int
    far: Counter[int]

    def place(self, day: int) -> int | None:
        """The number of the day's bin; None if it is in none."""
        place = (day - self.first) // self.width
        return place if 0 <= place < self.count else None

    def fold(self, counts: Counter[int]) -> dict[int, int]:
        """What is counted by day, by bin; bins of nothing are left out."""
        found: dict[int, int] = {}
        for day, number in counts.items():
            place = self.place(day)
            if place is not None and number:
                found[place] = found.get(place, 0) + number
        return found

    def day(self, place: int) -> str:
        """The first day of a bin, ISO 8601."""
        return day_text(self.first + place * self.width)

    def bin_words(self) -> str:
        """What a bin is: "day", or "7 days"."""
        return "day" if self.width == 1 else f"{self.width:,} days"

    def far_words(self, what: str) -> str:
        """What is not in the bins, in a sentence; "" for nothing. `what` is counted, in the plural."""
        if not self.far:
            return ""
        days = sorted(self.far)
        when = day_text(days[0]) if len(days) == 1 else f"from {day_text(days[0])} to {day_text(days[-1])}"
        return f"{self.far.total():,} {what} lie far from all others, and are not in the picture: {when}."


def timeline(counts: Counter[int], until: int | None = None) -> Timeline:
    """Bins for what is counted by day; they go on to the day `until`, unless that is far away itself."""
    if not counts:
        return Timeline(0, 1, 0, Counter())
    earliest, latest = _near(counts)
    far = Counter({day: number for day, number in counts.items() if not earliest <= day <= latest})
    days = [day for day in counts if earliest <= day <= latest]
    first, last = min(days), max(days)
    if until is not None and last < until <= latest:
        last = until
    width = next((width for width in _WIDTHS if (last - first) // width < MOST_BINS), _WIDTHS[-1])
    return Timeline(first, width, (last - first) // width + 1, far)


def _near(counts: Counter[int]) -> tuple[int, int]:
    """Between which days nothing is far from the rest."""
    days = sorted(counts)
    total, sums = 0, []
    for day in days:
        total += counts[day]
        sums.append(total)
    early, late = (days[bisect_left(sums, share * total)] for share in (0.25, 0.75))
    reach = _FAR * max(late - early, _LEAST_DAYS)
    return early - reach, late + reach


def day_text(day: int) -> str:
    """A day's number since the epoch as ISO 8601."""
    return (_EPOCH + timedelta(days=day)).isoformat()

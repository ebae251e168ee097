"""Days without anything from what always had something."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from statistics import median
from typing import Final, NamedTuple

from transforms.audit.volumes import filled

FEWEST_DAYS: Final = 14
LONGEST_TOLD: Final = 28
_REFERENCE_DAYS: Final = 28
_OFTEN: Final = 0.9


class Silence(NamedTuple):
    """One day without anything. `daily`: it came nearly every day; else it came now and then, `usual` on such a day."""

    day: int
    first_day: int
    usual: float
    daily: bool


def silences(counts: Mapping[int, float], last_day: int, usual: float) -> Iterator[Silence]:
    """The days of a silence that is longer than any before; of what comes now and then, more than twice as long.

    Args:
        counts: by day.
        last_day: the last complete day.
        usual: how much a daily one must usually have: the silence of a whisper says nothing.
    """
    full = filled(counts, last_day)
    first = last_seen = min(full, default=0)
    longest = 0
    for day, count in full.items():
        if count:
            longest = max(longest, day - last_seen - 1)
            last_seen = day
            continue
        silence = day - last_seen
        before = [full[d] for d in range(max(first, last_seen - _REFERENCE_DAYS + 1), last_seen + 1)]
        if len(before) < FEWEST_DAYS or silence > LONGEST_TOLD:
            continue
        level = median(value for value in before if value)
        daily = sum(value > 0 for value in before) / len(before) >= _OFTEN
        if (daily and silence > longest and level >= usual) or (not daily and silence > 2 * longest + 2):
            yield Silence(day, last_seen + 1, level, daily)

"""How a segment lived, from its rows of `memberships`: days (UTC), sizes, stays. Pure; instants in microseconds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, median, quantiles

from schemas.tables import MEMBERSHIPS
from transforms.explain.timeline import Timeline, timeline
from transforms.profiles.rows import Row

_COLUMNS = MEMBERSHIPS.column_names()
PROFILE_ID, ENTERED_AT, EXITED_AT = (_COLUMNS.index(name) for name in ("profile_id", "entered_at", "exited_at"))
DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Day:
    """One day, `2026-06-30`: entries, exits, and how many were members at its end (or at `as_of`, on the last day).

    Over long times it is the first of several days (timeline.py), and all numbers are of all of them.
    """

    day: str
    entered: int
    exited: int
    size: int


@dataclass(frozen=True, slots=True)
class Stays:
    """How long stays lasted, in microseconds; None where there are none.

    `ended`: stays that have; `open`: those that have not, and how long they have lasted (`open_median`).
    """

    ended: int
    median: float | None
    mean: float | None
    ninth_decile: float | None
    longest: int | None
    open: int
    open_median: float | None


def members(rows: Iterable[Row]) -> list[str]:
    """Who is in the segment, sorted."""
    return sorted(row[PROFILE_ID] for row in rows if row[EXITED_AT] is None)


def days(entries: Counter[int], exits: Counter[int], as_of: int) -> tuple[list[Day], Timeline]:
    """Every day (or bin of days) from the first entry to `as_of`, those without a change included.

    Args:
        entries: how many, by days since the epoch.
        exits: the same.
        as_of: in microseconds.

    Returns:
        The days; and what they are of, which also knows what is too far away to be among them. Sizes count that, too.
    """
    line = timeline(entries + exits, as_of // DAY_US)
    entered, exited = line.fold(entries), line.fold(exits)
    size = sum(number for day, number in entries.items() if day < line.first)
    size -= sum(number for day, number in exits.items() if day < line.first)
    found = []
    for place in range(line.count):
        size += entered.get(place, 0) - exited.get(place, 0)
        found.append(Day(line.day(place), entered.get(place, 0), exited.get(place, 0), size))
    return found, line


def days_of_rows(rows: Sequence[Row], as_of: int) -> tuple[list[Day], Timeline]:
    """The days of a segment's rows, as `days`."""
    entries = Counter(row[ENTERED_AT] // DAY_US for row in rows)
    exits = Counter(row[EXITED_AT] // DAY_US for row in rows if row[EXITED_AT] is not None)
    return days(entries, exits, as_of)


def stays(rows: Sequence[Row], as_of: int) -> Stays:
    """How long members stay."""
    ended = sorted(row[EXITED_AT] - row[ENTERED_AT] for row in rows if row[EXITED_AT] is not None)
    open_ = [as_of - row[ENTERED_AT] for row in rows if row[EXITED_AT] is None]
    return Stays(
        len(ended),
        median(ended) if ended else None,
        fmean(ended) if ended else None,
        quantiles(ended, n=10, method="inclusive")[-1] if len(ended) > 1 else (ended[0] if ended else None),
        ended[-1] if ended else None,
        len(open_),
        median(open_) if open_ else None,
    )


@dataclass(frozen=True, slots=True)
class Overlap:
    """Another segment: its members, how many are in both, and that as a share of all who are in either (0 to 1)."""

    segment: str
    members: int
    both: int
    share: float


def overlap(segment: str, own: int, other: int, both: int) -> Overlap:
    """The overlap of a segment of `own` members with another one."""
    either = own + other - both
    return Overlap(segment, other, both, both / either if either else 0.0)

"""How a segment lived, from its rows of `memberships`: days (UTC), sizes, stays. Pure; instants in microseconds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import fmean, median, quantiles

from schemas.tables import MEMBERSHIPS
from transforms.profiles.rows import Row

_COLUMNS = MEMBERSHIPS.column_names()
PROFILE_ID, ENTERED_AT, EXITED_AT = (_COLUMNS.index(name) for name in ("profile_id", "entered_at", "exited_at"))
DAY_US = 86_400_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Day:
    """One day, `2026-06-30`: entries, exits, and how many were members at its end (or at `as_of`, on the last day)."""

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


def days(entries: Counter[int], exits: Counter[int], as_of: int) -> list[Day]:
    """Every day from the first entry to `as_of`, those without a change included; days are numbers since the epoch."""
    found, size = [], 0
    for day in range(min(entries), as_of // DAY_US + 1) if entries else ():
        size += entries[day] - exits[day]
        found.append(Day(day_text(day), entries[day], exits[day], size))
    return found


def day_text(day: int) -> str:
    """A day's number since the epoch as ISO 8601."""
    return (_EPOCH + timedelta(days=day)).strftime("%Y-%m-%d")


def days_of_rows(rows: Sequence[Row], as_of: int) -> list[Day]:
    """The days of a segment's rows."""
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

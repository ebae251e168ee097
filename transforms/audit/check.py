"""What a check is: a question in SQL, and a verdict over the rows that answer it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from transforms.audit.finding import Finding
from transforms.audit.shares import Counts, ShareRule, share_findings

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Window:
    """What is audited: `first_day` to `last_day`, days since the epoch. Earlier days are reference only.

    `planned`: the track events that the tracking plan names.
    """

    first_day: int
    last_day: int
    planned: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Check:
    """One check.

    Attributes:
        name: as it stands in `audits`.
        tells: what it finds, in words.
        sql: a question to the tables that transforms/audit/prepare.py makes.
        judge: findings of any day from the answer; those outside the window are dropped later.
    """

    name: str
    tells: str
    sql: str
    judge: Callable[[Sequence[Row], Window], Iterable[Finding]]


def share_check(name: str, tells: str, sql: str, rule: ShareRule) -> Check:
    """A check of a share by day. Its SQL gives rows (source, subject, day, part, whole)."""
    return Check(name, tells, sql, lambda rows, _: share_findings(name, by_subject(rows), rule))


def by_subject(rows: Iterable[Row]) -> dict[tuple[str, str], Counts]:
    """Rows (source, subject, day, part, whole) as series."""
    series: dict[tuple[str, str], dict[int, tuple[float, float]]] = {}
    for source, subject, day, part, whole in rows:
        series.setdefault((source, subject), {})[day] = (float(part), float(whole))
    return dict(series)


def by_source(rows: Iterable[Row]) -> dict[str, Mapping[int, float]]:
    """Rows (source, day, count) as series."""
    series: dict[str, dict[int, float]] = {}
    for source, day, count in rows:
        series.setdefault(source, {})[day] = float(count)
    return dict(series)

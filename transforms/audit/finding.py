"""What a check finds, and the row of `audits` that it becomes."""

from __future__ import annotations

import hashlib
from datetime import date, timedelta
from typing import Any, Final, Literal, NamedTuple

Severity = Literal["info", "warning", "critical"]
SEVERITIES: Final[tuple[Severity, ...]] = ("info", "warning", "critical")

DAY_US: Final = 86_400_000_000
_EPOCH: Final = date(1970, 1, 1)


class Finding(NamedTuple):
    """One day of one alarm. Days are numbers since the epoch, UTC; `first_day`: of the alarm.

    `source` is whose data it is about ("" for all); it decides which alarm is another one's cause.
    """

    check: str
    source: str
    subject: str
    day: int
    severity: Severity
    value: float
    expected: float
    first_day: int

    def audit_id(self) -> str:
        """The same for the same check, subject and day."""
        return hashlib.sha256(f"{self.check}\0{self.subject}\0{self.day}".encode()).hexdigest()[:32]

    def row(self) -> tuple[Any, ...]:
        """The row of `audits`. Numbers to six digits: what stands behind them depends on the machine."""
        return (
            self.audit_id(),
            iso_day(self.day),
            self.check,
            self.subject,
            self.severity,
            round(self.value, 6),
            round(self.expected, 6),
            self.first_day * DAY_US,
        )


def iso_day(day: int) -> str:
    """A day as it is written: `2026-06-30`."""
    return (_EPOCH + timedelta(days=day)).isoformat()

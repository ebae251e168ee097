"""When a request is made again: after what, and how much later. Pure: the present comes in."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

RETRIED_STATUSES: Final = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524})
"""The last five are Cloudflare's, which stands before many a vendor."""
MOST_ATTEMPTS: Final = 8
LONGEST_WAIT_SECONDS: Final = 900.0
"""A server that asks for more is taken at its word: the pull ends, and says when to come again."""


def wait_asked_for(header: str | None, now: datetime) -> float | None:
    """The seconds that a `Retry-After` asks for: whole, decimal, or up to a date; None where it is none.

    >>> wait_asked_for("2.5", datetime(2026, 1, 1, tzinfo=UTC))
    2.5
    >>> wait_asked_for("Thu, 01 Jan 2026 00:00:07 GMT", datetime(2026, 1, 1, tzinfo=UTC))
    7.0
    """
    if header is None:
        return None
    text = header.strip()
    try:
        seconds = float(text)
    except ValueError:
        try:
            until = parsedate_to_datetime(text)
        except (ValueError, TypeError, IndexError):
            return None
        seconds = ((until if until.tzinfo else until.replace(tzinfo=UTC)) - now).total_seconds()
    return max(0.0, seconds) if math.isfinite(seconds) else None


def wait_before(attempt: int, asked_for: float | None) -> float:
    """Seconds until the next attempt, the first of which is 1: what was asked for, else 1, 2, 4 ... 60."""
    return min(60.0, 2.0 ** (attempt - 1)) if asked_for is None else asked_for

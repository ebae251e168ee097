"""Events that are sent twice under different ids: a tracker that is on the page two times, a file read twice."""

from __future__ import annotations

from transforms.audit.check import share_check
from transforms.audit.prepare import COPY_SECONDS
from transforms.audit.shares import ShareRule

CHECK = share_check(
    "duplicate_share",
    f"events that say what the one before them said, within {COPY_SECONDS} seconds",
    "SELECT source, source, day, count(*) FILTER (copy), count(*) FROM all_events GROUP BY ALL",
    ShareRule(least=0.08),
)

"""Events that arrive long after they happened."""

from __future__ import annotations

from transforms.audit.check import share_check
from transforms.audit.shares import ShareRule

CHECK = share_check(
    "late_share",
    "events that were received more than an hour after they happened",
    """SELECT source, source, day, count(*) FILTER (received_at - timestamp > INTERVAL 1 HOUR), count(received_at)
       FROM kept GROUP BY ALL HAVING count(received_at) > 0""",
    ShareRule(least=0.1, floor=0.03),
)

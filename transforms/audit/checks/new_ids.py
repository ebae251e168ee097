"""A source whose user ids were, all at once, never seen before: ids of another form, or of another system."""

from __future__ import annotations

from transforms.audit.check import share_check
from transforms.audit.shares import ShareRule

CHECK = share_check(
    "new_ids",
    "users of a source's day whom no source had named before",
    """WITH first AS (SELECT user_id, min(day) AS first FROM kept WHERE user_id IS NOT NULL GROUP BY ALL),
       seen AS (SELECT DISTINCT source, day, user_id FROM kept WHERE user_id IS NOT NULL)
       SELECT source, source, day, count(*) FILTER (first = day), count(*) FROM seen JOIN first USING (user_id)
       GROUP BY ALL""",
    ShareRule(least=0.3, fewest=10, floor=0.06),
)

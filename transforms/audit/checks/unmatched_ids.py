"""A source whose ids stop meeting those of the other sources."""

from __future__ import annotations

from transforms.audit.check import share_check
from transforms.audit.shares import ShareRule

CHECK = share_check(
    "unmatched_ids",
    "users of a source's day whom no other source had named by then",
    """WITH first AS (
           SELECT source, user_id, min(day) AS first FROM kept WHERE user_id IS NOT NULL GROUP BY ALL
       ),
       two AS (  -- the first source of each user, and the first day in any other one
           SELECT user_id, arg_min(source, (first, source)) AS source, min(first) AS first FROM first GROUP BY ALL
       ),
       other AS (
           SELECT f.user_id, min(f.first) AS first FROM first f JOIN two t USING (user_id)
           WHERE f.source <> t.source GROUP BY ALL
       ),
       seen AS (SELECT DISTINCT source, day, user_id FROM kept WHERE user_id IS NOT NULL)
       SELECT s.source, s.source, s.day,
              count(*) FILTER (coalesce(CASE WHEN t.source = s.source THEN o.first ELSE t.first END > s.day, true)),
              count(*)
       FROM seen s JOIN two t USING (user_id) LEFT JOIN other o USING (user_id) GROUP BY ALL""",
    ShareRule(least=0.3, fewest=10, floor=0.06, usual=0.8),
)

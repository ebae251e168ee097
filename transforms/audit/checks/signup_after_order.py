"""Customers who signed up after they had ordered: a migration that set all dates anew, or a guest's order."""

from __future__ import annotations

from transforms.audit.people import people_check

CHECK = people_check(
    "signup_after_order",
    "customers who signed up more than a day after their first order",
    """WITH first AS (SELECT profile_id, min(timestamp) AS first FROM events
                      WHERE type = 'track' AND event = 'Order Completed' GROUP BY ALL)
       SELECT count(*) FILTER (p.signed_up_at > f.first + INTERVAL 1 DAY), count(*)
       FROM profiles p JOIN first f USING (profile_id)
       WHERE p.merged_into IS NULL AND p.signed_up_at IS NOT NULL AND p.signed_up_at <= p.recorded_at""",
)

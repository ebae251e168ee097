"""Fewer of a source's events than before belong to somebody known: devices that are no longer linked to users."""

from __future__ import annotations

from transforms.audit.check import share_check
from transforms.audit.shares import ShareRule

CHECK = share_check(
    "anonymous_share",
    "events that belong to nobody known",
    """SELECT source, source, day, count(*) FILTER (starts_with(profile_id, 'anon:')), count(*)
       FROM kept GROUP BY ALL""",
    ShareRule(least=0.25, floor=0.05),
)

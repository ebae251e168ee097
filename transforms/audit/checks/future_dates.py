"""People who were born, or signed up, after the instant that the tables tell of."""

from __future__ import annotations

from transforms.audit.people import people_check

CHECK = people_check(
    "future_dates",
    "people born, or signed up, in the future",
    """SELECT count(*) FILTER (birthday > recorded_at::DATE OR signed_up_at > recorded_at), count(*)
       FROM profiles WHERE merged_into IS NULL AND (birthday IS NOT NULL OR signed_up_at IS NOT NULL)""",
)

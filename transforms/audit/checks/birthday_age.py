"""People whose age is not that of their birthday."""

from __future__ import annotations

from transforms.audit.people import people_check

CHECK = people_check(
    "birthday_age",
    "people whose age is more than a year from what their birthday says",
    """SELECT count(*) FILTER (abs(date_diff('day', birthday, recorded_at::DATE) / 365.25 - age - 0.5) > 1.6), count(*)
       FROM profiles WHERE merged_into IS NULL AND birthday IS NOT NULL AND age IS NOT NULL""",
)

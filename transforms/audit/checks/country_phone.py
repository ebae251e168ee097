"""People whose telephone number is of another country than they are."""

from __future__ import annotations

from transforms.audit.people import calling_codes, people_check

CHECK = people_check(
    "country_phone",
    "people whose number has another country's calling code",
    f"""SELECT count(*) FILTER (NOT starts_with(p.phone, '+' || c.code)), count(*)
        FROM profiles p JOIN (VALUES {calling_codes()}) AS c(country, code) ON c.country = p.country
        WHERE p.merged_into IS NULL AND p.phone IS NOT NULL""",  # noqa: S608 - a table of codes
)

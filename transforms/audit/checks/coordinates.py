"""People whose latitude and longitude are outside of their country: often the two are swapped, or a sign is lost."""

from __future__ import annotations

from transforms.audit.people import country_boxes, people_check

MARGIN = 0.5
"""Degrees that somebody may be outside: borders are no rectangles, and phones are not exact."""

CHECK = people_check(
    "coordinates",
    "people whose latitude and longitude are outside of their country",
    f"""SELECT count(*) FILTER (p.latitude NOT BETWEEN b.south - {MARGIN} AND b.north + {MARGIN}
                                OR (p.longitude NOT BETWEEN b.west - {MARGIN} AND b.east + {MARGIN})), count(*)
        FROM profiles p JOIN (VALUES {country_boxes()}) AS b(country, south, north, west, east)
          ON b.country = p.country
        WHERE p.merged_into IS NULL AND p.latitude IS NOT NULL AND p.longitude IS NOT NULL""",  # noqa: S608
)

"""One visitor that sends more than any person does. Its events are left out of all other checks of that day."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median
from typing import Final

from transforms.audit.check import Check, Row, Window
from transforms.audit.finding import Finding, Severity

FEWEST: Final = 150
_TIMES_USUAL: Final = 4.0
_REFERENCE_DAYS: Final = 28
_FEWEST_DAYS: Final = 7
_LISTED: Final = 40
_LARGE_SHARE: Final = 0.2


def judge(rows: Sequence[Row], _: Window) -> Iterator[Finding]:
    """Rows (source, day, who, count, count of the source's day, first day). Only those with 40 events or more."""
    visitors: dict[str, dict[int, list[tuple[float, str, float]]]] = {}
    earliest = 0
    for source, day, who, count, whole, earliest in rows:  # noqa: B007 - the last one is the same in every row
        visitors.setdefault(source, {}).setdefault(day, []).append((float(count), who, float(whole)))
    first_days: dict[tuple[str, str], int] = {}
    for source, days in sorted(visitors.items()):
        calm: dict[int, float] = {}
        for day in sorted(days):
            known = [calm.get(d, float(_LISTED)) for d in range(max(day - _REFERENCE_DAYS, earliest), day)]
            if len(known) < _FEWEST_DAYS:
                known = [max(count for count, _, _ in of_day) for of_day in days.values()]
            usual = max(median(known), sorted(known)[int(len(known) * 0.9)] / 2)
            limit = max(FEWEST, _TIMES_USUAL * usual)
            found = sorted((one for one in days[day] if one[0] >= limit), key=lambda one: (-one[0], one[1]))
            calm[day] = max([count for count, _, _ in days[day] if count < limit], default=float(_LISTED))
            for count, who, whole in found:
                first = first_days.setdefault((source, who), day)
                severity: Severity = "critical" if count >= _LARGE_SHARE * whole else "warning"
                yield Finding(CHECK.name, source, f"{source}: {who}", day, severity, count, usual, first)


CHECK = Check(
    "bot",
    "a visitor, or a program by its user agent, with far more events than the busiest one of usual days",
    f"""WITH wholes AS (SELECT source, day, count(*) AS n FROM all_events WHERE NOT copy GROUP BY ALL),
        who AS (
            SELECT source, day, profile_id AS who, count(*) AS n FROM all_events WHERE NOT copy GROUP BY ALL
            UNION ALL
            SELECT source, day, 'agent ' || (context->>'$.userAgent'), count(*) FROM all_events
            WHERE NOT copy AND regexp_matches(
                lower(context->>'$.userAgent'), 'bot|crawl|spider|headless|python-requests|curl/|scrapy'
            ) GROUP BY ALL
        )
        SELECT w.source, w.day, w.who, w.n, t.n, (SELECT min(day) FROM wholes)
        FROM who w JOIN wholes t USING (source, day) WHERE w.n >= {_LISTED}""",  # noqa: S608 - numbers of our own
    judge,
)

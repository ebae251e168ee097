"""A source whose users no other source has ever named, while the others know each other's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from transforms.audit.check import Check, Row, Window
from transforms.audit.finding import Finding

FEWEST: Final = 30
_MEET: Final = 0.01


def judge(rows: Sequence[Row], window: Window) -> Iterator[Finding]:
    """Rows (source, users that another source names, users). Told on the last day."""
    known = {source: met / ids for source, met, ids in rows if ids >= FEWEST}
    if len(known) < 2:
        return
    for source, share in sorted(known.items()):
        others = [other for name, other in known.items() if name != source]
        if share < _MEET:
            yield Finding(
                CHECK.name, source, source, window.last_day, "warning", share, max(others), window.last_day
            )  # fmt: skip


CHECK = Check(
    "silo",
    "a source whose users no other source names",
    """WITH ids AS (SELECT DISTINCT source, user_id FROM kept WHERE user_id IS NOT NULL),
       sources AS (SELECT user_id, count(*) AS n FROM ids GROUP BY ALL)
       SELECT source, count(*) FILTER (n > 1), count(*) FROM ids JOIN sources USING (user_id) GROUP BY ALL""",
    judge,
)

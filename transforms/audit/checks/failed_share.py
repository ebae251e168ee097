"""More records than before that could not be processed, by reason."""

from __future__ import annotations

from transforms.audit.check import share_check
from transforms.audit.finding import DAY_US
from transforms.audit.shares import ShareRule

CHECK = share_check(
    "failed_share",
    "records that failed, by reason and the day on which they were received",
    f"""WITH failed AS (
            SELECT reason, epoch_us(received_at) // {DAY_US} AS day, count(*) AS n
            FROM failed_events WHERE received_at IS NOT NULL GROUP BY ALL
        ),
        good AS (
            SELECT epoch_us(coalesce(received_at, timestamp)) // {DAY_US} AS day, count(*) AS n
            FROM all_events GROUP BY ALL
        ),
        bad AS (SELECT day, sum(n) AS n FROM failed GROUP BY ALL),
        reasons AS (SELECT DISTINCT reason FROM failed)
        SELECT '', r.reason, CAST(g.day AS INTEGER), coalesce(f.n, 0), g.n + coalesce(b.n, 0)
        FROM good g CROSS JOIN reasons r LEFT JOIN failed f USING (reason, day) LEFT JOIN bad b USING (day)""",  # noqa: S608
    ShareRule(least=0.03, fewest=50, floor=0.006),
)

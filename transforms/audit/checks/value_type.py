"""A field whose values are of another kind than before: a price that became a text."""

from __future__ import annotations

from transforms.audit.check import share_check
from transforms.audit.shares import ShareRule

CHECK = share_check(
    "value_type",
    "values of a field that are of another kind than most of them ever were",
    """WITH kinds AS (SELECT section, source, label, path, kind, sum(n) AS n FROM fields GROUP BY ALL),
       usual AS (SELECT section, source, label, path, arg_max(kind, (n, kind)) AS kind FROM kinds GROUP BY ALL
                 HAVING sum(n) >= 20)
       SELECT f.source, f.source || ': ' || f.label || '.' || f.path, f.day,
              sum(f.n) FILTER (f.kind <> u.kind), sum(f.n)
       FROM fields f JOIN usual u USING (section, source, label, path)
       WHERE EXISTS (SELECT 1 FROM kinds k WHERE k.section = f.section AND k.source = f.source AND k.label = f.label
                     AND k.path = f.path AND k.kind <> u.kind)
       GROUP BY ALL""",
    ShareRule(least=0.1, direction=0, fewest=15, usual=1.0),
)

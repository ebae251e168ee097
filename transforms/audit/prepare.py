"""The tables that the checks ask, made once: the events of the days in question, by source and day, and their fields.

An event's source is the library that its context names (`context.library.name`), else the app, else the page's host;
with `--source` whatever is at another path. Events that Tidemark made itself are left out: they tell of its own runs.
"""

from __future__ import annotations

# ruff: noqa: S608 - statements are made of our own names and of a path that was checked
from typing import Final

from transforms.audit.finding import DAY_US

OURS: Final = "tidemark-"

_SOURCES: Final = (
    "context->>'$.library.name'",
    "context->>'$.app.name'",
    "regexp_extract(context->>'$.page.url', '^[a-z]+://([^/:?#]+)', 1)",
)

COPY_SECONDS: Final = 2
"""Two events that say the same within so many seconds are one that was sent twice."""


def statements(first_day: int, last_day: int, source_path: str | None) -> list[str]:
    """SQL that makes the tables.

    - `all_events`: source, day, hour, label (the track event, else the type), and the columns of `events`; `copy`: it
      says what an event just before it said.
    - `kept`: of these what is neither a copy nor a bot's (`bots` is filled by the check of that name).

    Args:
        first_day: the first day of the reference.
        last_day: the last complete day.
        source_path: a JSON path into the context, such as `library.name`, in place of the usual ones.
    """
    source = _source(source_path)
    day = f"CAST(epoch_us(timestamp) // {DAY_US} AS INTEGER)"
    same = "source, user_id, anonymous_id, type, event, properties::VARCHAR, traits::VARCHAR"
    return [
        f"""CREATE TEMP TABLE all_events AS
        SELECT *, coalesce(epoch_us(timestamp) - lag(epoch_us(timestamp)) OVER (
                      PARTITION BY {same} ORDER BY timestamp, message_id
                  ) <= {COPY_SECONDS * 1_000_000}, false) AS copy
        FROM (
            SELECT {source} AS source, {day} AS day,
                   CAST(epoch_us(timestamp) // 3600000000 % 24 AS INTEGER) AS hour,
                   CASE WHEN type = 'track' THEN coalesce(event, '') ELSE type END AS label,
                   message_id, profile_id, user_id, anonymous_id, type, event, timestamp, received_at,
                   properties, traits, context
            FROM events
            WHERE {day} BETWEEN {first_day} AND {last_day}
        ) WHERE NOT starts_with(source, '{OURS}')""",
        "CREATE TEMP TABLE bots (source VARCHAR, day INTEGER, who VARCHAR)",
        """CREATE TEMP VIEW kept AS
        SELECT e.* FROM all_events e WHERE NOT copy AND NOT EXISTS (
            SELECT 1 FROM bots b WHERE b.source = e.source AND b.day = e.day
            AND b.who IN (e.profile_id, 'agent ' || (e.context->>'$.userAgent'))
        )""",
    ]


def field_statements() -> list[str]:
    """SQL that makes `fields`, once the bots are known: how often a field of events had a value, and of which kind.

    Rows (section, source, label, path, kind, day, n). `section`: properties, traits or context (whose label is `*`).
    A path goes one object deep. Null and the empty text are no values.
    """
    return ["CREATE TEMP TABLE fields AS " + " UNION ALL ".join(_fields(section) for section in _LABELS)]


_LABELS: Final = {"properties": "k.label", "traits": "k.label", "context": "'*'"}
_KIND: Final = (
    "CASE {f}.type WHEN 'VARCHAR' THEN 'text' WHEN 'BOOLEAN' THEN 'boolean' WHEN 'OBJECT' THEN 'object' "
    "WHEN 'ARRAY' THEN 'list' ELSE 'number' END"
)
_FILLED: Final = "{f}.type <> 'NULL' AND CAST({f}.value AS VARCHAR) <> '\"\"'"


def _fields(section: str) -> str:
    label = _LABELS[section]
    ours = "'context' AS section" if section == "context" else f"'{section}' AS section"
    top = f"""SELECT {ours}, k.source, {label} AS label, f.key AS path, {_KIND.format(f="f")} AS kind,
               k.day, count(*) AS n
        FROM kept k, json_each(k.{section}) f WHERE {_FILLED.format(f="f")} GROUP BY ALL"""
    deep = f"""SELECT {ours}, k.source, {label} AS label, f.key || '.' || g.key AS path, {_KIND.format(f="g")} AS kind,
               k.day, count(*) AS n
        FROM kept k, json_each(k.{section}) f, json_each(f.value) g
        WHERE f.type = 'OBJECT' AND {_FILLED.format(f="g")} GROUP BY ALL"""
    return f"{top} UNION ALL {deep}"


def null_shares(section: str) -> str:
    """SQL: of each field that has values, the events without one. Rows (source, subject, day, part, whole)."""
    where = "" if section == "context" else f"WHERE {section} IS NOT NULL OR type IN ('track', 'identify')"
    label = "'*'" if section == "context" else "label"
    subject = "p.source || ': ' || p.path" if section == "context" else "p.source || ': ' || p.label || '.' || p.path"
    return f"""
        WITH wholes AS (SELECT source, {label} AS label, day, count(*) AS n FROM kept {where} GROUP BY ALL),
        found AS (
            SELECT source, label, path, day, sum(n) AS n FROM fields WHERE section = '{section}' GROUP BY ALL
        ),
        paths AS (SELECT source, label, path FROM found GROUP BY ALL HAVING sum(n) >= 20 AND count(*) >= 5)
        SELECT p.source, {subject}, w.day, w.n - coalesce(f.n, 0), w.n
        FROM paths p JOIN wholes w USING (source, label) LEFT JOIN found f USING (source, label, path, day)
    """


def _source(path: str | None) -> str:
    places = _SOURCES if path is None else (f"context->>'$.{path}'",)
    found = [f"nullif({place}, '')" for place in places]
    return f"coalesce({', '.join(found)}, 'unknown')"

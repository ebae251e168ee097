"""The queries of docs/bigquery.md, run as they stand there, over a day that can be counted by hand."""

from __future__ import annotations

import datetime
import re
from pathlib import Path
from typing import Any

from pipelines.io.bigquery.compaction import compaction_statements
from pipelines.io.bigquery.stream import BigQueryStream
from pipelines.io.outputs import BigQueryOutput
from schemas.bigquery import log_name
from schemas.tables import EVENTS, FAILED_EVENTS, MEMBERSHIP_CHANGES, MEMBERSHIPS, PROFILES, TABLES, Table
from tests.integration.bigquery_place import query
from tests.io.rows import block_value

pytest_plugins = ("tests.integration.bigquery_fixtures",)

DOC = Path(__file__).parents[2] / "docs" / "bigquery.md"
HOUR_US = 3_600_000_000
START_US = 1_767_225_600_000_000  # 2026-01-01T00:00:00Z


def row(table: Table, **values: Any) -> dict[str, Any]:
    """A row with these values, null where it may be, and something where it may not."""
    filler = {column.name: block_value(column, 1) if column.required else None for column in table.columns}
    return filler | values


def membership(profile: str, segment: str, entered: int, exited: int | None, *message_ids: str) -> dict[str, Any]:
    at = START_US + entered * HOUR_US
    until = None if exited is None else START_US + exited * HOUR_US
    return row(
        MEMBERSHIPS,
        profile_id=profile,
        segment=segment,
        entered_at=at,
        exited_at=until,
        message_ids=list(message_ids),
    )


def change(identifier: str, segment: str, kind: str, hour: int) -> dict[str, Any]:
    return row(MEMBERSHIP_CHANGES, change_id=identifier, segment=segment, change=kind, at=START_US + hour * HOUR_US)


def event(identifier: str, profile: str, name: str, hour: int) -> dict[str, Any]:
    properties = '{"name":"Kettle"}'
    return row(
        EVENTS,
        message_id=identifier,
        profile_id=profile,
        type="track",
        event=name,
        timestamp=START_US + hour * HOUR_US,
        properties=properties,
    )


def fill(output: BigQueryOutput) -> None:
    stream = BigQueryStream(output)
    people = [("user:ada", "ada@example.com"), ("user:bob", None), ("anon:c", None)]
    stream.write("profiles", [row(PROFILES, profile_id=profile, email=email) for profile, email in people])
    stream.write(
        "memberships",
        [
            membership("user:ada", "recent_buyers", 3, None, "m3", "m1"),
            membership("user:bob", "recent_buyers", 1, 30, "m4"),
            membership("anon:c", "recent_buyers", 40, None, "m6"),
            membership("user:ada", "newsletter", 2, None),
            membership("anon:c", "newsletter", 2, 3),
        ],
    )
    stream.write(
        "membership_changes",
        [
            change("c1", "recent_buyers", "entered", 3),
            change("c2", "recent_buyers", "entered", 1),
            change("c3", "recent_buyers", "exited", 30),
            change("c4", "newsletter", "entered", 2),
            change("c5", "newsletter", "retracted", 30),
        ],
    )
    stream.write(
        "events",
        [
            event("m1", "user:ada", "Product Viewed", 1),
            event("m2", "user:ada", "Product Added", 2),
            event("m3", "user:ada", "Order Completed", 3),
            event("m4", "user:bob", "Product Viewed", 1),
            event("m5", "user:bob", "Product Added", 0),  # before the view
            event("m6", "anon:c", "Product Viewed", 40),
            event("m7", "anon:c", "Product Added", 41),
        ],
    )
    reasons = ["schema_violation", "schema_violation", "malformed_json"]
    stream.write("failed_events", [row(FAILED_EVENTS, failure_id=str(n), reason=r) for n, r in enumerate(reasons)])
    assert stream.flush() == []


def test_the_queries_of_the_docs(output: BigQueryOutput) -> None:
    fill(output)
    text = DOC.read_text()
    found = re.findall(r"([^\n]+):\n\n```sql\n(.*?)```", text, flags=re.DOTALL)
    results = {title: query(sql.replace("tidemark.", f"{output.dataset}.")) for title, sql in found}

    def instant(hour: int) -> datetime.datetime:
        return datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(hours=hour)

    first, second = datetime.date(2026, 1, 1), datetime.date(2026, 1, 2)
    assert results == {
        "Current members of a segment": [("anon:c",), ("user:ada",)],
        "Members at an instant": [("user:ada",), ("user:bob",)],
        "Entries and exits a day": [
            (first, "newsletter", 1, 0, 0),
            (first, "recent_buyers", 2, 0, 0),
            (second, "newsletter", 0, 0, 1),
            (second, "recent_buyers", 0, 1, 0),
        ],
        "Why is a profile in a segment": [
            (instant(3), instant(1), "track", "Product Viewed", "Kettle"),
            (instant(3), instant(3), "track", "Order Completed", "Kettle"),
        ],
        "Overlap of segments, in current members": [("newsletter", "recent_buyers", 1)],
        "A funnel: of those who viewed a product in January, who added one later, and who ordered after that": [
            (3, 2, 1)
        ],
        "Failed events by reason": [("schema_violation", 2), ("malformed_json", 1)],
        "Segments by size, with who can be reached by e-mail": [("recent_buyers", 2, 1), ("newsletter", 1, 1)],
    }


def test_what_was_written_since_a_savepoint_is_cut_off(output: BigQueryOutput) -> None:
    [statement] = re.findall(r"```sql\n(delete from .*?)```", DOC.read_text(), flags=re.DOTALL)
    for hour, version, people in ((25, 7, ("anon:a", "anon:b")), (26, 8, ("anon:b", "anon:c"))):
        stream = BigQueryStream(output, now_us=lambda hour=hour: START_US + hour * HOUR_US)  # type: ignore[misc]
        assert stream.write("profiles", [row(PROFILES, profile_id=one, version=version) for one in people]) == []
        assert stream.flush() == []
    cut = statement.replace("tidemark.", f"{output.dataset}.").replace("2026-01-02 00", "2026-01-02 01")
    query(cut)
    left = query(f"SELECT profile_id, version FROM {output.dataset}.profiles ORDER BY profile_id")  # noqa: S608
    assert left == [("anon:a", 7), ("anon:b", 7)]


def test_the_docs_name_every_log_with_its_key() -> None:
    text = DOC.read_text()
    for table in TABLES:
        key = ", ".join(f"`{name}`" for name in table.key)
        cluster = ", ".join(f"`{name}`" for name in table.cluster)
        cells = [f"`{log_name(table)}`", key, f"`{table.partition}`" if table.partition else "", cluster]
        assert cells in [_cells(line) for line in text.splitlines()]


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_compaction_covers_every_log() -> None:
    statements = compaction_statements(BigQueryOutput("shop-project", "shop"))
    logs = [statement.splitlines()[0].removeprefix("DELETE FROM ") for statement in statements]
    assert logs == [f"`shop-project.shop.{log_name(table)}`" for table in TABLES]

"""The numbers of the report, held against the tables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from pipelines.io.outputs import DuckDBOutput, FilesOutput
from pipelines.io.tables.query import open_tables
from pipelines.reporting import measures
from pipelines.reporting.report import Report, read_report
from schemas.errors import OutputError
from schemas.tracking_plan import load_tracking_plan
from tests.report.conftest import ROOT
from transforms.segments.language.definitions import load_definitions


@pytest.fixture(scope="module")
def database(tables: dict[str, Path]) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_tables(DuckDBOutput(str(tables["duckdb"]))) as connection:
        yield connection


@pytest.fixture(scope="module")
def report(database: duckdb.DuckDBPyConnection) -> Report:
    return read_report(database, None, load_tracking_plan(None))


def test_both_outputs_give_the_same_report(report: Report, tables: dict[str, Path]) -> None:
    with open_tables(FilesOutput(str(tables["files"]))) as connection:
        assert read_report(connection, None, load_tracking_plan(None)) == report


def test_sizes_are_those_at_the_end_of_each_day(report: Report, database: duckdb.DuckDBPyConnection) -> None:
    query = """select count(*) from memberships where segment = ? and entered_at < ?::timestamptz
               and (exited_at is null or exited_at >= ?::timestamptz)"""
    for life in report.segments:
        for day, after in zip(life.days[:-1], life.days[1:], strict=True):
            size = database.execute(query, [life.name, f"{after.day}T00:00:00Z", f"{after.day}T00:00:00Z"]).fetchall()
            assert [(day.size,)] == size, (life.name, day)
        assert life.days[-1].size == life.members


def test_overlaps(report: Report, database: duckdb.DuckDBPyConnection) -> None:
    members: dict[str, set[str]] = {}
    for segment, profile_id in database.execute(
        "select segment, profile_id from memberships where exited_at is null"
    ).fetchall():
        members.setdefault(segment, set()).add(profile_id)
    for (one, other), found in report.overlaps.items():
        here, there = members.get(one, set()), members.get(other, set())
        assert (found.members, found.both) == (len(there), len(here & there))
        assert found.share == pytest.approx(len(here & there) / len(here | there) if here | there else 0)


def test_the_funnel_counts_profiles_that_took_the_steps_in_order(
    report: Report, database: duckdb.DuckDBPyConnection
) -> None:
    steps: dict[str, int] = {}
    rows = database.execute("""select profile_id, event from events where type = 'track'
                               order by profile_id, timestamp, list_position(
                               ['Product Viewed', 'Product Added', 'Checkout Started', 'Order Completed'], event)""")
    for profile_id, event in rows.fetchall():
        done = steps.get(profile_id, 0)
        if done < len(measures.FUNNEL) and event == measures.FUNNEL[done]:
            steps[profile_id] = done + 1
    expected = [sum(done > place for done in steps.values()) for place in range(len(measures.FUNNEL))]
    assert [count for _, count in report.funnel] == expected
    assert expected[-1] > 0


def test_every_event_and_failure_is_counted_once(report: Report, database: duckdb.DuckDBPyConnection) -> None:
    assert sum(of_type.total() for of_type in report.event_days.values()) == report.headline.events
    assert report.event_names.total() == report.headline.events
    assert sum(failed.count for failed in report.failures) == report.headline.failed
    profiles = database.execute("select count(*) from profiles").fetchall()
    assert [(report.headline.profiles + report.headline.merged,)] == profiles


def test_shares_of_filled_columns(report: Report, database: duckdb.DuckDBPyConnection) -> None:
    filled = dict(report.filled)
    query = "select avg((email is not null)::int) from profiles where user_id is not null and merged_into is null"
    assert [(pytest.approx(filled["email"]),)] == database.execute(query).fetchall()


def test_definitions_add_what_the_tables_do_not_know(database: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    (tmp_path / "nobody.yaml").write_text("when: event('Order Complete').count() >= 1\n")
    (tmp_path / "buyers.yaml").write_text(
        "when: event('Order Completed').where(property('colour') = 'red' OR property('total') > 1).count() >= 1"
        " AND trait('city').exists() AND trait('shoe_size').absent()\nexpires: 2020-01-01T00:00:00Z\n"
    )
    found = read_report(database, load_definitions(tmp_path).definitions, load_tracking_plan(None))
    assert "nobody" in [life.name for life in found.segments]
    assert "nobody: nobody has ever entered" in found.warnings
    assert "nobody: event 'Order Complete' never occurs in the input; did you mean 'Order Completed'?" in found.warnings
    assert [warning for warning in found.warnings if warning.startswith("buyers:")] == [
        "buyers: nobody has ever entered",
        "buyers: expired at 2020-01-01 00:00:00 UTC, it has no members",
        "buyers: property 'colour' never occurs in 'Order Completed'",
        "buyers: trait 'shoe_size' never occurs in the input",
    ]


def test_the_shipped_rules_give_no_warning_about_names(database: duckdb.DuckDBPyConnection) -> None:
    definitions = load_definitions(ROOT / "segments", ROOT / "traits").definitions
    found = read_report(database, definitions, load_tracking_plan(None))
    assert [warning for warning in found.warnings if "property" in warning or "trait" in warning] == []


@pytest.mark.parametrize("place", ["missing.duckdb", "text.duckdb", "empty.duckdb"])
def test_what_cannot_be_read_is_said(tmp_path: Path, place: str) -> None:
    path = tmp_path / place
    if place == "text.duckdb":
        path.write_text("not a database, and long enough to be taken for something else" * 100)
    if place == "empty.duckdb":
        duckdb.connect(str(path)).close()
    with pytest.raises(OutputError, match=place), open_tables(DuckDBOutput(str(path))):
        pass
    with pytest.raises(OutputError, match="profiles"), open_tables(FilesOutput(str(tmp_path))):
        pass

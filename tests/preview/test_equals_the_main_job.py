"""What a preview says is, row for row, what the main job then writes."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines.io.locations import parse_inputs
from pipelines.local.resolve import ResolvedEvents, resolve_events
from pipelines.local.workers import Workers
from schemas.tracking_plan import load_tracking_plan
from tests.preview.shop import ROOT, preview_json, previewed, run_main_job, write_events, written
from transforms.columns.events import records_of
from transforms.parse import EventParser
from transforms.profiles.columns import OrderedEvents
from transforms.records import Record

NAMES = sorted(file.stem for file in (ROOT / "segments").glob("*.yaml"))
EARLIER = "2026-06-18T12:00:00Z"


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("shop")
    shutil.copytree(ROOT / "segments", folder / "segments")
    shutil.copytree(ROOT / "traits", folder / "traits")
    return {
        "events": write_events(folder / "events.ndjson"),
        "segments": folder / "segments",
        "traits": folder / "traits",
        "database": folder / "now.duckdb",
        "earlier": folder / "earlier.duckdb",
    }


def arguments(places: dict[str, Path]) -> list[str]:
    folders = ["--segments", str(places["segments"]), "--traits", str(places["traits"])]
    return ["--input", str(places["events"]), *folders]


@pytest.fixture(scope="module")
def database(places: dict[str, Path]) -> Iterator[duckdb.DuckDBPyConnection]:
    with run_main_job(arguments(places), places["database"]) as connection:
        yield connection


@pytest.fixture(scope="module")
def earlier(places: dict[str, Path]) -> Iterator[duckdb.DuckDBPyConnection]:
    with run_main_job([*arguments(places), "--as_of", EARLIER], places["earlier"]) as connection:
        yield connection


def preview(capsys: pytest.CaptureFixture[str], places: dict[str, Path], name: str, *more: str) -> dict[str, Any]:
    source = more if "--input" in more else ("--input", str(places["events"]), *more)
    return preview_json(capsys, "--segment", str(places["segments"] / f"{name}.yaml"), *source)


def current(database: duckdb.DuckDBPyConnection, segment: str) -> list[str]:
    query = "select profile_id from memberships where segment = ? and exited_at is null order by 1"
    return [profile_id for (profile_id,) in database.execute(query, [segment]).fetchall()]


@pytest.mark.parametrize("name", NAMES)
def test_memberships_equal_those_of_the_main_job(
    capsys: pytest.CaptureFixture[str], places: dict[str, Path], database: duckdb.DuckDBPyConnection, name: str
) -> None:
    found = preview(capsys, places, name)
    assert previewed(found["memberships"]) == written(database, name)
    assert found["members"] == current(database, name)
    counted = "accounts" if found["of"] == "accounts" else "profiles where merged_into is null"
    existing = database.sql(f"select count(*) from {counted}").fetchall()  # noqa: S608 - names of our own
    assert [(found["accounts" if found["of"] == "accounts" else "profiles"],)] == existing


@pytest.mark.parametrize("name", ["cart_abandoners", "promotable", "vip"])
def test_an_earlier_as_of(
    capsys: pytest.CaptureFixture[str], places: dict[str, Path], earlier: duckdb.DuckDBPyConnection, name: str
) -> None:
    found = preview(capsys, places, name, "--as_of", EARLIER)
    assert previewed(found["memberships"]) == written(earlier, name)


def test_the_events_table_gives_the_same_as_the_files(
    capsys: pytest.CaptureFixture[str], places: dict[str, Path], database: duckdb.DuckDBPyConnection
) -> None:
    found = preview(capsys, places, "cart_abandoners", "--input", f"duckdb:{places['database']}")
    assert previewed(found["memberships"]) == written(database, "cart_abandoners")


def test_days_overlaps_and_consent_are_what_the_tables_say(
    capsys: pytest.CaptureFixture[str], places: dict[str, Path], database: duckdb.DuckDBPyConnection
) -> None:
    found = preview(capsys, places, "viewed_not_purchased")
    days = database.execute("""
        with changes as (
            select entered_at::date d, 1 entered, 0 exited from memberships where segment = 'viewed_not_purchased'
            union all
            select exited_at::date, 0, 1 from memberships
            where segment = 'viewed_not_purchased' and exited_at is not null)
        select d::varchar, sum(entered)::int, sum(exited)::int from changes group by d order by d
    """).fetchall()
    said = [(day["day"], day["entered"], day["exited"]) for day in found["days"] if day["entered"] or day["exited"]]
    assert said == days
    assert found["days"][-1]["size"] == len(found["members"])

    both = dict(
        database.execute("""
            select other.segment, count(*) from memberships one join memberships other using (profile_id)
            where one.segment = 'viewed_not_purchased' and other.segment <> one.segment
              and one.exited_at is null and other.exited_at is null group by 1
        """).fetchall()
    )
    assert {other["segment"]: other["both"] for other in found["overlaps"] if other["both"]} == both

    agreed = database.execute("""
        select profile_id from profiles
        where list_contains(segments, 'viewed_not_purchased') and (traits->'$.consent.marketing')::varchar = 'true'
        order by 1
    """).fetchall()
    assert [(profile_id,) for profile_id in found["activation"]["profile_ids"]] == agreed
    assert found["activation"]["withheld"] == len(found["members"]) - len(agreed)


def test_the_difference_of_two_versions_is_the_difference_of_two_runs(
    capsys: pytest.CaptureFixture[str],
    places: dict[str, Path],
    database: duckdb.DuckDBPyConnection,
    tmp_path: Path,
) -> None:
    other = tmp_path / "segments"
    shutil.copytree(places["segments"], other)
    rule = (other / "cart_abandoners.yaml").read_text()
    (other / "cart_abandoners.yaml").write_text(rule.replace("between(1 hour, 3 days)", "between(3 hours, 2 days)"))
    changed = [str(other) if argument == str(places["segments"]) else argument for argument in arguments(places)]
    with run_main_job(changed, tmp_path / "other.duckdb") as database_of_other:
        found = preview(capsys, places, "cart_abandoners", "--against", str(other / "cart_abandoners.yaml"))
        difference = found["difference"]
        here, there = current(database, "cart_abandoners"), current(database_of_other, "cart_abandoners")
        assert difference["added"] == sorted(set(here) - set(there)) != []
        assert difference["removed"] == sorted(set(there) - set(here))
        assert previewed(difference["memberships"]) == written(database_of_other, "cart_abandoners")
        assert previewed(found["memberships"]) == written(database, "cart_abandoners")
    for shown in difference["added_sample"]:
        assert shown["member"]
        assert not shown["against"]["member"]


def resolved(places: dict[str, Path], processes: int) -> Any:
    parser = EventParser(load_tracking_plan(None))
    return resolve_events(parse_inputs([str(places["events"])]), parser, None, lambda *_: None, processes=processes)


def histories(events: ResolvedEvents) -> list[tuple[str, list[Record]]]:
    return sorted(pair for pairs in events.ask(everything) for pair in pairs)


def everything(parts: Iterable[OrderedEvents]) -> list[tuple[str, list[Record]]]:
    return [(name, records_of(part.of(place))) for part in parts for place, name in enumerate(part.profile_ids)]


def test_the_number_of_processes_changes_nothing(places: dict[str, Path]) -> None:
    with resolved(places, 1) as one, resolved(places, 2) as two:
        assert histories(one) == histories(two)
        assert one.counts == two.counts
        assert one.plan == two.plan


def test_histories_are_the_events_of_the_main_job(places: dict[str, Path], database: duckdb.DuckDBPyConnection) -> None:
    with resolved(places, 1) as events:
        found = [(profile_id, event[0]) for profile_id, records in histories(events) for event in records]
        counts = events.counts
    assert sorted(found) == database.sql("select profile_id, message_id from events order by 1, 2").fetchall()
    failed = dict(database.sql("select reason, count(*) from failed_events group by 1").fetchall())
    assert dict(counts.failed) == failed


def fail(_: None, item: int) -> None:
    raise ValueError(f"item {item}")


def nothing() -> None:
    return None


@pytest.mark.parametrize("processes", [1, 2])
def test_an_error_in_a_worker_is_raised(processes: int) -> None:
    with Workers(processes, nothing) as workers, pytest.raises(ValueError, match="item 3"):
        list(workers.map(fail, [3]))

"""The work database of a stream: the greatest version stands, whatever came when, how often, in which batch."""

import random
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from pipelines.io.duckdb.stream_database import LiveTables
from schemas.tables import TABLES
from schemas.update import RowUpdate
from tests.live.stream_rows import update


@pytest.fixture
def tables(tmp_path: Path) -> Iterator[LiveTables]:
    (tmp_path / "work").mkdir()
    tables = LiveTables(tmp_path / "work")
    yield tables
    tables.connection.close()


def cities(tables: LiveTables) -> dict[str, str]:
    return dict(tables.connection.execute("SELECT profile_id, city FROM work.profiles").fetchall())


def profile(who: str, city: str, version: int) -> RowUpdate:
    return update("profiles", version, profile_id=who, city=city)


def gone(who: str, version: int) -> RowUpdate:
    return update("profiles", version, profile_id=who, withdrawn=True)


def test_the_greatest_version_stands_also_in_later_batches(tables: LiveTables) -> None:
    assert tables.apply([profile("ann", "Bonn", 1), profile("ann", "Rome", 3), profile("ann", "Oslo", 2)]) == 1
    assert tables.apply([profile("ann", "Oslo", 2)]) == 0
    assert cities(tables) == {"ann": "Rome"}
    tables.apply([profile("ann", "Lima", 4)])
    assert cities(tables) == {"ann": "Lima"}


def test_writing_twice_changes_nothing(tables: LiveTables) -> None:
    batch = [
        profile("ann", "Bonn", 1),
        update("membership_changes", change_id="c"),
        update("failed_events", failure_id="f"),
    ]
    assert tables.apply(batch) == 3
    assert tables.apply(batch + batch) == 0
    assert [tables.count(name) for name in ("profiles", "membership_changes", "failed_events")] == [1, 1, 1]


def test_a_withdrawn_row_is_gone_and_older_words_do_not_bring_it_back(tables: LiveTables) -> None:
    tables.apply([profile("ann", "Bonn", 1)])
    tables.apply([gone("ann", 3)])
    tables.apply([profile("ann", "Oslo", 2)])
    assert cities(tables) == {}
    tables.apply([profile("ann", "Rome", 4)])
    assert cities(tables) == {"ann": "Rome"}


def test_a_withdrawal_needs_only_the_key(tables: LiveTables) -> None:
    columns = len(next(table for table in TABLES if table.name == "memberships").columns)
    key = ("ann", "vip", 5)
    tables.apply([update("memberships", profile_id="ann", segment="vip", entered_at=5)])
    tables.apply([RowUpdate("memberships", key + (None,) * (columns - 3), 2, withdrawn=True)])
    assert tables.count("memberships") == 0


def test_one_wrong_row_fails_its_batch_as_a_whole(tables: LiveTables) -> None:
    with pytest.raises(ValueError, match="event_count"):
        tables.apply([profile("ann", "Bonn", 1), update("profiles", profile_id="bob", event_count="many")])
    assert cities(tables) == {}


@pytest.mark.parametrize("seed", range(20))
def test_any_order_and_any_batches_end_alike(tables: LiveTables, seed: int) -> None:
    random_number = random.Random(seed)  # noqa: S311 - a seeded shuffle
    people = ["ann", "bob", "eve"]
    words = [
        gone(who, version) if random_number.random() < 0.3 else profile(who, f"{who}{version}", version)
        for who in people
        for version in range(1, 6)
    ]
    newest = {update.row[0]: update for update in words if update.version == 5}
    words += random_number.choices(words, k=10)
    random_number.shuffle(words)
    while words:
        size = random_number.randint(1, 6)
        tables.apply(words[:size])
        words = words[size:]
    assert cities(tables) == {who: f"{who}5" for who, update in newest.items() if not update.withdrawn}


def test_a_published_database_holds_the_tables_and_nothing_else(tables: LiveTables, tmp_path: Path) -> None:
    target = tmp_path / "shop.duckdb"
    tables.apply([profile("ann", "Bonn", 1), update("events", message_id="m", properties='{"a":1}', timestamp=10)])
    tables.publish_database(target)
    with duckdb.connect(str(target), read_only=True) as reader:
        tables.apply([profile("ann", "Rome", 2)])
        tables.publish_database(target)  # while somebody reads
        assert reader.execute("SELECT city FROM profiles").fetchall() == [("Bonn",)]
        assert reader.execute("SELECT properties->>'a' FROM events").fetchall() == [("1",)]
        names = {name for (name,) in reader.execute("SELECT table_name FROM information_schema.tables").fetchall()}
        assert names == {table.name for table in TABLES}
    with duckdb.connect(str(target), read_only=True) as reader:
        assert reader.execute("SELECT city FROM profiles").fetchall() == [("Rome",)]


def test_a_published_folder_has_a_part_of_every_table(tables: LiveTables, tmp_path: Path) -> None:
    target = tmp_path / "parquet"
    for city in ("Bonn", "Rome"):
        tables.apply([profile("ann", city, ord(city[0]))])
        tables.publish_folder(target)
        assert pq.read_table(target / "profiles").column("city").to_pylist() == [city]
    assert {folder.name for folder in target.iterdir()} == {table.name for table in TABLES}


def test_closing_leaves_no_work_file(tmp_path: Path) -> None:
    tables = LiveTables(tmp_path)
    tables.apply([profile("ann", "Bonn", 1)])
    tables.close()
    assert list(tmp_path.iterdir()) == []

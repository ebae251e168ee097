"""A restart tells nothing twice: the old log stands, and only what differs from it is added."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines.io.duckdb.stream_database import LiveTables
from pipelines.io.journal.earlier_run import EarlierRun
from pipelines.io.outputs import DuckDBOutput, FilesOutput
from schemas.update import RowUpdate
from tests.live.stream_rows import update


def membership(who: str, entered: int, exited: int | None = None, version: str = "v1") -> RowUpdate:
    return update(
        "memberships", profile_id=who, segment="vip", entered_at=entered, exited_at=exited, segment_version=version
    )


def change(change_id: str, who: str, kind: str, at: int, cause: str = "event") -> RowUpdate:
    return update(
        "membership_changes",
        change_id=change_id,
        profile_id=who,
        segment="vip",
        segment_version="v1",
        change=kind,
        at=at,
        cause=cause,
    )


class Runs:
    """An earlier run that was published, and a new one."""

    def __init__(self, folder: Path, kind: str) -> None:
        self.output = DuckDBOutput(str(folder / "o.duckdb")) if kind == "duckdb" else FilesOutput(str(folder / "o"))
        self._folder = folder
        self.earlier = self._tables("earlier")
        self.new = self._tables("new")

    def _tables(self, name: str) -> LiveTables:
        (self._folder / name).mkdir()
        return LiveTables(self._folder / name)

    def restart(self, before: list[RowUpdate], after: list[RowUpdate]) -> None:
        """The new run says `after`, once the earlier one has published `before`."""
        self.earlier.apply(before)
        if isinstance(self.output, DuckDBOutput):
            self.earlier.publish_database(Path(self.output.path))
        else:
            self.earlier.publish_folder(Path(self.output.directory))
        self.run = run = EarlierRun(self.output, "second", 1_000)
        run.read()
        self.new.apply(map(run.adjust, after))
        run.carry_over(self.new.connection)

    def changes(self) -> list[tuple[Any, ...]]:
        columns = 'profile_id, change, epoch_us("at"), cause'
        return self.new.connection.execute(f"SELECT {columns} FROM work.membership_changes ORDER BY ALL").fetchall()  # noqa: S608


@pytest.fixture(params=["duckdb", "files"])
def runs(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Runs]:
    runs = Runs(tmp_path, request.param)
    yield runs
    runs.earlier.connection.close()
    runs.new.connection.close()


ANN = update("profiles", profile_id="ann", version=1)


def test_what_was_told_is_not_told_again_in_other_words(runs: Runs) -> None:
    told = [change("a", "ann", "entered", 5, "late_event"), membership("ann", 5)]
    again = [change("b", "ann", "entered", 5), membership("ann", 5)]
    runs.restart([ANN, *told], [ANN, *again])
    assert runs.changes() == [("ann", "entered", 5, "late_event")]


def test_detours_of_the_way_back_are_not_told(runs: Runs) -> None:
    detour = [change("b", "ann", "entered", 3), change("c", "ann", "retracted", 3)]
    told = [change("a", "ann", "entered", 5), membership("ann", 5)]
    runs.restart([ANN, *told], [ANN, *detour, *told])
    assert runs.changes() == [("ann", "entered", 5, "event")]


def test_what_came_between_the_last_writing_and_the_crash_is_told(runs: Runs) -> None:
    told = [change("a", "ann", "entered", 5)]
    after = [*told, change("b", "ann", "exited", 8, "time"), membership("ann", 5, 8)]
    runs.restart([ANN, *told, membership("ann", 5)], [ANN, *after])
    assert runs.changes() == [("ann", "entered", 5, "event"), ("ann", "exited", 8, "time")]


@pytest.mark.parametrize(
    ("now", "cause"),
    [
        ([ANN, membership("ann", 7)], "late_event"),
        ([ANN, membership("ann", 7, version="v2")], "segment_changed"),
        ([ANN], "segment_changed"),
        ([update("profiles", profile_id="ann", merged_into="user:bob"), membership("bob", 5)], "merge"),
        ([membership("bob", 5)], "deleted"),
    ],
)
def test_what_is_no_more_is_retracted_with_its_cause(runs: Runs, now: list[RowUpdate], cause: str) -> None:
    runs.restart([ANN, change("a", "ann", "entered", 5), membership("ann", 5)], now)
    assert ("ann", "retracted", 5, cause) in runs.changes()


ORDER = update("events", message_id="order", profile_id="ann")
VIEW = update("events", message_id="view", profile_id="ann")
RETRACT = update("retractions", message_id="r", retracts="order", found=True)


@pytest.mark.parametrize("now", [[ANN, membership("ann", 7)], []])
def test_what_a_retract_took_away_is_retracted_with_that_cause(runs: Runs, now: list[RowUpdate]) -> None:
    runs.restart([ANN, ORDER, change("a", "ann", "entered", 5), membership("ann", 5)], [*now, RETRACT])
    assert ("ann", "retracted", 5, "retraction") in runs.changes()


def test_a_retract_that_the_earlier_run_knew_is_no_cause(runs: Runs) -> None:
    told = [ANN, RETRACT, change("a", "ann", "entered", 5), membership("ann", 5)]
    runs.restart(told, [ANN, RETRACT, membership("ann", 7)])
    assert ("ann", "retracted", 5, "late_event") in runs.changes()


def test_what_is_true_since_a_retract_is_told_with_that_cause_and_what_a_new_event_did_with_its_own(runs: Runs) -> None:
    since = change("b", "ann", "entered", 5)
    since = since._replace(row=(*since.row[:-2], ["view"], since.row[-1]))
    by_event = change("c", "ann", "exited", 8)
    by_event = by_event._replace(row=(*by_event.row[:-2], ["new"], by_event.row[-1]))
    runs.restart([ANN, ORDER, VIEW], [ANN, VIEW, RETRACT, since, by_event, membership("ann", 5, 8)])
    assert runs.changes() == [("ann", "entered", 5, "retraction"), ("ann", "exited", 8, "event")]


@pytest.mark.parametrize(("still_there", "cause"), [(True, "late_event"), (False, "deleted")])
def test_an_account_that_is_still_there_is_not_told_to_be_deleted(runs: Runs, still_there: bool, cause: str) -> None:
    before = [update("accounts", account_id="account:g", version=4), membership("account:g", 5)]
    after = [update("accounts", account_id="account:g", version=1)] if still_there else []
    runs.restart([*before, change("a", "account:g", "entered", 5)], [*after, membership("account:g", 7)])
    assert ("account:g", "retracted", 5, cause) in runs.changes()
    versions = runs.new.connection.execute("SELECT version FROM work.accounts").fetchall()
    assert versions == ([(5,)] if still_there else [])


def test_a_stay_that_ends_elsewhere_is_taken_back_and_told_again(runs: Runs) -> None:
    told = [change("a", "ann", "entered", 5), change("b", "ann", "exited", 9)]
    again = [*told, change("c", "ann", "exited", 7)]
    runs.restart([ANN, *told, membership("ann", 5, 9)], [ANN, *again, membership("ann", 5, 7)])
    assert runs.changes() == [
        ("ann", "entered", 5, "event"),
        ("ann", "entered", 5, "event"),
        ("ann", "exited", 7, "event"),
        ("ann", "exited", 9, "event"),
        ("ann", "retracted", 5, "late_event"),
    ]


def test_what_was_taken_back_once_may_be_said_again_later(runs: Runs) -> None:
    told = [change("a", "ann", "entered", 5), change("b", "ann", "retracted", 5)]
    runs.restart([ANN, *told], [ANN])
    runs.new.apply([runs.run.adjust(change("a", "ann", "entered", 5, "late_event"))])
    assert [row[1:] for row in runs.changes()] == [
        ("entered", 5, "event"),
        ("entered", 5, "late_event"),
        ("retracted", 5, "event"),
    ]


def test_versions_of_profiles_go_on(runs: Runs) -> None:
    runs.restart([ANN], [ANN])
    assert runs.new.connection.execute("SELECT version FROM work.profiles").fetchall() == [(2,)]


def test_failures_that_came_too_late_stay(runs: Runs) -> None:
    late = update("failed_events", failure_id="f", reason="too_late", raw=b"{}")
    other = update("failed_events", failure_id="g", reason="not_utf8", raw=b"\xff")
    runs.restart([late, other], [])
    assert runs.new.connection.execute("SELECT failure_id FROM work.failed_events").fetchall() == [("f",)]


def test_failures_that_have_lost_their_bytes_stay(runs: Runs) -> None:
    emptied = update("failed_events", failure_id="f", reason="not_utf8", raw=b"")
    runs.restart([emptied], [])
    assert runs.new.connection.execute("SELECT failure_id, raw FROM work.failed_events").fetchall() == [("f", b"")]


def test_what_a_deletion_erased_is_added_up(runs: Runs) -> None:
    before = update("deletions", receipt_id="r", counts='{"events":5,"identity_links":1}')
    runs.restart([before], [update("deletions", receipt_id="r", counts='{"events":1,"identity_links":0}')])
    rows = runs.new.connection.execute("SELECT counts::VARCHAR FROM work.deletions")
    assert rows.fetchall() == [('{"events":6,"identity_links":1}',)], "spelt as a bounded job spells it"


def test_without_an_output_there_is_nothing_to_carry_over(runs: Runs) -> None:
    run = EarlierRun(runs.output, "second", 1_000)
    run.read()
    runs.new.apply([ANN])
    run.carry_over(runs.new.connection)
    assert runs.new.count("profiles") == 1

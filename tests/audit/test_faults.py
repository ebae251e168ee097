"""Quiet on a shop without a fault, and each fault is found on its first day, as itself and as nothing else."""

from pathlib import Path

import pytest

from benchmarks.audit import Alarm, audit, is_about
from benchmarks.faulty_shops import (
    DAYS,
    FAULT_DAY,
    FAULTS,
    FIRST_DAY,
    Event,
    day_name,
    shop,
    with_fault,
    write_shop,
)
from pipelines.audit import ALARMED, main
from pipelines.io.ledger import open_ledger
from pipelines.io.outputs import DuckDBOutput
from pipelines.io.tables.query import open_tables
from schemas.ledger import AUDITS


@pytest.fixture(scope="module")
def events() -> list[Event]:
    return shop(7, 60)


@pytest.fixture(scope="module")
def many_events() -> list[Event]:
    """A shop twice as large: a quiet one has more that could look like a fault, and a loss stands out from chance."""
    return shop(7)


def alarms_of(events: list[Event], path: Path) -> set[Alarm]:
    write_shop(events, path)
    with open_tables(DuckDBOutput(str(path))) as tables:
        return audit(tables)


def test_a_season_growth_and_a_holiday_are_no_alarms(many_events: list[Event], tmp_path: Path) -> None:
    assert alarms_of(many_events, tmp_path / "shop.duckdb") == set()


LOSS = "two thirds of a source lost"
# Faults of different sources, or of different things, go wrong together: an audit is asked once for all of them.
TOGETHER = (
    ("a release drops a property", "a doubled source", "a country that turns null"),
    ("a time zone shift", "an app that sends hours later", "a silent source"),
    ("a time zone shift, receipt too", "a user id that is no longer sent", "ids that stop matching"),
    ("a bot", "a fifth of the events fails"),
    ("a number that becomes a text", "an event that is no longer sent"),
    (LOSS,),
)


def test_every_fault_is_tried() -> None:
    assert sorted(name for names in TOGETHER for name in names) == sorted(fault.name for fault in FAULTS)


@pytest.mark.parametrize("names", TOGETHER, ids=", ".join)
def test_a_fault_is_found_on_its_first_day_and_nothing_else_is(
    names: tuple[str, ...], events: list[Event], many_events: list[Event], tmp_path: Path
) -> None:
    faults = [fault for fault in FAULTS if fault.name in names]
    changed = many_events if LOSS in names else events
    for fault in faults:
        changed = with_fault(changed, fault, 7)
    found = alarms_of(changed, tmp_path / "shop.duckdb")
    for fault in faults:
        days = [alarm.day for alarm in found if is_about(alarm, fault)]
        assert FAULT_DAY in days, fault.name
        # One row a day: what follows from the fault is not told beside it.
        assert len(days) == len(set(days)), fault.name
    assert {alarm for alarm in found if not any(is_about(alarm, fault) for fault in faults)} == set()


def test_a_second_run_gives_the_same_rows_and_a_repaired_fault_goes(events: list[Event], tmp_path: Path) -> None:
    path = tmp_path / "shop.duckdb"
    faulty = next(fault for fault in FAULTS if fault.name == "a silent source")
    write_shop(with_fault(events, faulty, 7), path)
    arguments = ["--input", f"duckdb:{path}", "--as_of", day_name(FIRST_DAY + DAYS)]
    output = tmp_path / "audit.html"
    assert main([*arguments, "--fail_on", "critical", "--output", str(output)]) == ALARMED
    first = rows_of(path)
    assert main([*arguments, "--fail_on", "critical"]) == ALARMED
    assert rows_of(path) == first
    assert sorted(row[1:5] for row in first) == [
        (day, "silent_source", "crm-sync", "critical") for day in map(day_name, range(FAULT_DAY, FIRST_DAY + DAYS))
    ]
    assert len({row[7] for row in first}) == 1
    assert "silent_source" in output.read_text()
    path.unlink()
    write_shop(events, path)
    assert main([*arguments, "--fail_on", "info"]) == 0
    assert rows_of(path) == []


def rows_of(path: Path) -> list[tuple[object, ...]]:
    with open_ledger(DuckDBOutput(f"{path}.ledger.duckdb")) as ledger:
        return ledger.read(AUDITS)


def test_the_last_day_is_left_out_until_it_is_over(events: list[Event], tmp_path: Path) -> None:
    last = FIRST_DAY + DAYS - 1
    morning = [event for event in events if event["at"] < last * 86_400_000 + 5 * 3_600_000]
    path = tmp_path / "shop.duckdb"
    assert {alarm.day for alarm in alarms_of(morning, path)} == {last}
    assert main(["--input", f"duckdb:{path}", "--fail_on", "info"]) == 0
    assert main(["--input", f"duckdb:{path}", "--fail_on", "info", "--as_of", day_name(last + 1)]) == ALARMED


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--days", "0"], "--days 0"),
        (["--output", "audit.txt"], "ends in .html or .json"),
        (["--source", "a b"], "--source 'a b'"),
        (["--dais", "3"], "did you mean '--days'?"),
    ],
)
def test_wrong_arguments_are_told(arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--input", "duckdb:nowhere.duckdb", *arguments]) == 2
    assert told in capsys.readouterr().err

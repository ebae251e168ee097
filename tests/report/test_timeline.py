"""Charts and tables over any time: coarser bins, far outliers named, nothing that counts centuries."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines import profiles, report
from transforms.explain.statistics import DAY_US, days
from transforms.explain.timeline import MOST_BINS, day_text, timeline

YEAR_1, YEAR_9999 = -719_162, 2_932_896
DAYS = st.integers(YEAR_1, YEAR_9999)
TODAY = 20_000


@given(st.dictionaries(DAYS, st.integers(1, 1000), max_size=40))
def test_every_day_is_in_one_bin_or_far_away(counts: dict[int, int]) -> None:
    line = timeline(Counter(counts))
    assert line.count <= MOST_BINS
    assert sum(line.fold(Counter(counts)).values()) + line.far.total() == sum(counts.values())
    for day in counts:
        place = line.place(day)
        assert (place is None) == (day in line.far)
        if place is not None:
            assert line.day(place) <= day_text(day)


def test_short_times_have_a_bin_a_day() -> None:
    entered, exited = Counter({TODAY: 2, TODAY + 3: 1}), Counter({TODAY + 3: 1})
    found, line = days(entered, exited, (TODAY + 4) * DAY_US)
    assert [(day.entered, day.exited, day.size) for day in found] == [
        (2, 0, 2),
        (0, 0, 2),
        (0, 0, 2),
        (1, 1, 2),
        (0, 0, 2),
    ]
    assert line.bin_words() == "day"
    assert line.far_words("events") == ""


def test_what_is_far_from_all_the_rest_is_named() -> None:
    line = timeline(Counter({YEAR_1: 1, YEAR_9999: 1} | dict.fromkeys(range(TODAY, TODAY + 40), 100)))
    assert (line.count, line.width) == (40, 1)
    assert line.far_words("events") == (
        "2 events lie far from all others, and are not in the picture: from 0001-01-01 to 9999-12-31."
    )


def test_sizes_count_who_entered_long_before() -> None:
    found, line = days(Counter({YEAR_1: 5} | dict.fromkeys(range(TODAY, TODAY + 9), 9)), Counter(), TODAY * DAY_US)
    assert line.far == Counter({YEAR_1: 5})
    assert found[0].size == 14


def test_two_events_half_a_century_apart_have_coarse_bins() -> None:
    line = timeline(Counter({0: 1, TODAY: 1}))
    assert not line.far
    assert line.bin_words() == "28 days"
    assert line.fold(Counter({0: 1, TODAY: 1})) == {0: 1, TODAY // 28: 1}


@pytest.mark.parametrize("years", [("0001-01-01", "9999-12-31"), ("1970-01-01", "2026-01-01")])
def test_a_page_is_small_whatever_the_years(years: tuple[str, str], tmp_path: Path) -> None:
    segments, events = tmp_path / "segments", tmp_path / "events.ndjson"
    segments.mkdir()
    (segments / "$5 off$.yaml").write_text(json.dumps({"when": "event('Order Completed').count() >= 1"}))
    lines = [
        {
            "messageId": year,
            "type": "track",
            "event": "Order Completed",
            "userId": year,
            "timestamp": f"{year}T00:00:00Z",
        }
        for year in years
    ]
    events.write_text("".join(json.dumps(line) + "\n" for line in lines))
    tables = f"duckdb:{tmp_path / 'out.duckdb'}"
    assert profiles.main(["--input", str(events), "--segments", str(segments), "--output", tables]) == 0
    assert report.main(["--input", tables, "--output", str(tmp_path / "page.html")]) == 0
    page = (tmp_path / "page.html").read_text()
    assert len(page) < 200_000
    assert "$5 off$" in page, "a segment's name is text, no mathematics"
    assert years[0][:4] in page


def test_a_page_takes_the_place_of_a_page_only(tmp_path: Path, tables: dict[str, Path]) -> None:
    page = tmp_path / "page.html"
    command = ["--input", f"duckdb:{tables['duckdb']}", "--output"]
    page.write_text("my own notes")
    assert report.main([*command, str(page)]) == 2
    assert report.main([*command, str(tmp_path)]) == 2
    assert page.read_text() == "my own notes"
    page.unlink()
    assert [report.main([*command, str(page)]) for _ in range(2)] == [0, 0]

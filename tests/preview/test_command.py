"""The command: what it prints, what it refuses, how it watches."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from pipelines import preview
from pipelines.watching import Wait, wait_for_change
from pipelines.words.progress import Progress

RULE = "when: event('Order Completed').within(30 days).count() >= {least}\n"


def event(message_id: str, user: str, day: int, name: str = "Order Completed", **properties: Any) -> dict[str, Any]:
    return {
        "messageId": message_id,
        "type": "track",
        "event": name,
        "userId": user,
        "timestamp": f"2026-03-{day:02}T10:00:00Z",
        "properties": properties,
    }


ALICE = [event("a1", "alice", 2, total=10), event("a2", "alice", 9, total=20), event("a3", "alice", 12, "Cart Viewed")]
BOB = [event("b1", "bob", 10, total=70)]
CAROL = [event("c1", "carol", 10, "Cart Viewed"), event("c2", "carol", 11, "Product Viewed", product_id="p")]


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "segments").mkdir()
    events = "\n".join(map(json.dumps, [*ALICE, *BOB, *CAROL]))
    (tmp_path / "events.ndjson").write_text(events)
    (tmp_path / "segments" / "buyers.yaml").write_text("description: Has ordered.\n" + RULE.format(least=1))
    return tmp_path


def run(shop: Path, *arguments: str, segment: str = "buyers", wait: Wait = wait_for_change) -> int:
    given = ["--segment", str(shop / "segments" / f"{segment}.yaml"), "--input", str(shop / "events.ndjson")]
    return preview.main([*given, *arguments], wait)


def test_text_fits_a_hundred_columns_and_says_who_and_why(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(shop) == 0
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 100
    assert "buyers: 2 of 3 profiles are in it" in text
    assert "because: number of 'Order Completed' in the last 30 days: 2 (wanted: at least 1)" in text
    assert "by Order Completed at 2026-03-10 10:00:00 UTC (b1)" in text
    assert "(1 others would do as well)" in text
    assert "timers per profile: 1 at most" in text


def test_a_profile_that_is_not_a_member_learns_what_is_missing(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(shop, "--profile", "user:carol") == 0
    text = capsys.readouterr().out
    assert "buyers: not a member" in text
    assert "NO  number of 'Order Completed' in the last 30 days: 0 (wanted: at least 1)" in text
    assert "events left by each step: 'Order Completed' ever: 0, then in the last 30 days: 0" in text
    assert "2026-03-11 10:00:00 UTC  Product Viewed" in text


def test_a_profiles_story(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(shop, "--profile", "alice", "--as_of", "2026-04-20", "--json") == 0
    story = json.loads(capsys.readouterr().out)
    assert story["profile_id"] == "user:alice"
    assert [(turn["change"], turn["at"][:10], turn["cause"]) for turn in story["changes"]] == [
        ("entered", "2026-03-02", "event"),
        ("exited", "2026-04-08", "time"),
    ]
    assert story["changes"][0]["message_ids"] == ["a1"]
    assert story["changes"][1]["parts"][0]["value"] == 0
    assert not story["standing"]["member"]
    assert [e["message_id"] for e in story["events"]] == ["a1", "a2", "a3"]


def test_what_happens_next_if_nothing_else_does(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rule = "when: NOT event('Order Completed').within(30 days).count() >= 1\n"
    (shop / "segments" / "lapsed.yaml").write_text(rule)
    assert run(shop, "--profile", "bob", segment="lapsed") == 0
    text = capsys.readouterr().out
    assert "enters 2026-04-09 10:00:00 UTC if nothing else happens" in text
    assert "so from 2026-04-09 10:00:00 UTC, if nothing else happens" in text


def test_options_of_the_segment_can_be_what_keeps_a_profile_out(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = shop / "segments" / "buyers.yaml"
    path.write_text(RULE.format(least=1) + "max_membership: 1 day\nreentry_after: 60 days\n")
    assert run(shop, "--profile", "bob") == 0
    assert "it left at 2026-03-11 10:00:00 UTC and cannot enter again" in capsys.readouterr().out
    path.write_text(RULE.format(least=1) + "max_membership: 1 day\n")
    assert run(shop, "--profile", "bob") == 0
    assert "it has been in for 1.0 days, the longest stay" in capsys.readouterr().out
    path.write_text(RULE.format(least=1) + "expires: 2026-03-11T00:00:00Z\n")
    assert run(shop, "--profile", "bob") == 0
    assert "the segment expired at 2026-03-11 00:00:00 UTC" in capsys.readouterr().out
    path.write_text("members: [dora]\n")
    assert run(shop, "--profile", "bob") == 0
    assert "it is not in the segment's list of members" in capsys.readouterr().out


def test_a_wrong_rule_is_refused_before_anything_is_read(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (shop / "segments" / "buyers.yaml").write_text("when: event('Order Completed').cuont() >= 1\n")
    (shop / "segments" / "other.yaml").write_text("when: nothing\n")
    assert run(shop, "--against", str(shop / "segments" / "other.yaml")) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "buyers.yaml:1:" in printed.err
    assert "^" in printed.err
    assert "other.yaml:1:" in printed.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--as_of", "soon"], "--as_of"),
        (["--profile", "nobody"], "there is no such profile"),
        (["--input", "kafka:localhost:9092/events"], "it has no end"),
        (["--sample", "0"], "expected a number of at least 1"),
        (["--stitch_window", "long"], "--stitch_window"),
        (["--input", "duckdb:missing.duckdb"], "there is no file"),
    ],
)
def test_wrong_arguments(shop: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str) -> None:
    assert run(shop, *arguments) == 2
    printed = capsys.readouterr()
    assert said in printed.err
    assert printed.out == ""


@pytest.mark.parametrize("content", [b"", b"no database " * 1_000])
def test_an_input_that_cannot_be_read(shop: Path, capsys: pytest.CaptureFixture[str], content: bytes) -> None:
    (shop / "tables.duckdb").write_bytes(content)
    place = f"duckdb:{shop / 'tables.duckdb'}"
    assert preview.main(["--segment", str(shop / "segments" / "buyers.yaml"), "--input", place]) == 1
    printed = capsys.readouterr()
    assert place in printed.err
    assert printed.out == ""


def test_other_files_of_the_folder_may_be_wrong(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (shop / "segments" / "other.yaml").write_text("when: nothing\n")
    assert run(shop) == 0
    assert "no overlaps are shown: other files of the folder have errors (other.yaml)" in capsys.readouterr().out


def warnings(shop: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    assert run(shop, *arguments, "--json") == 0
    found: list[str] = json.loads(capsys.readouterr().out)["warnings"]
    return found


def test_warnings_about_the_segment(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = shop / "segments" / "buyers.yaml"
    (shop / "segments" / "again.yaml").write_text(RULE.format(least=1))
    assert warnings(shop, capsys) == [
        "buyers: nearly the same as again (100% of those in either are in both)",
    ]
    path.write_text("when: event('Order Completed').count() >= 9\nexpires: 2026-03-20T00:00:00Z\n")
    assert warnings(shop, capsys) == [
        "buyers: expires soon, at 2026-03-20 00:00:00 UTC",
        "buyers: nobody has ever entered",
    ]
    path.write_text("when: NOT event('Order Completed').count() >= 9\n")
    assert warnings(shop, capsys) == ["buyers: every one of the 3 profiles is in it"]
    for number in range(20):
        (shop / "segments" / f"more_{number}.yaml").write_text(RULE.format(least=5))
    assert "22 segments: more than 20" in warnings(shop, capsys)[0]


def test_warnings_about_names_that_never_occur(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rule = (
        "when: event('Order Complete').count() >= 1 OR trait('shoe_size') = 5"
        " OR event('Order Completed').where(property('colour') = 'red').count() >= 1\n"
    )
    (shop / "segments" / "buyers.yaml").write_text(rule)
    found = warnings(shop, capsys)
    assert "buyers: event 'Order Complete' never occurs in the input; did you mean 'Order Completed'?" in found
    assert "buyers: property 'colour' never occurs in 'Order Completed'" in found
    assert "buyers: trait 'shoe_size' never occurs in the input" in found
    assert not [warning for warning in found if "'total'" in warning]


def test_files_and_tables_together(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from pipelines import profiles

    output = f"duckdb:{shop / 'tables.duckdb'}"
    folder = str(shop / "segments")
    assert profiles.main(["--input", str(shop / "events.ndjson"), "--segments", folder, "--output", output]) == 0
    (shop / "events.ndjson").write_text(json.dumps(event("d1", "dora", 12)))
    capsys.readouterr()
    assert run(shop, "--input", output, "--json") == 0
    assert json.loads(capsys.readouterr().out)["members"] == ["user:alice", "user:bob", "user:dora"]


class Saves:
    """Stands in for the wait: each time the next text is saved; after the last one the watch ends."""

    def __init__(self, path: Path, texts: Iterable[str]) -> None:
        self._path = path
        self._texts = iter(texts)

    def __call__(self, files: Iterable[Path]) -> bool:
        assert list(files) == [self._path]
        text = next(self._texts, None)
        if text is not None:
            self._path.write_text(text)
        return text is not None


def test_watching_shows_each_saved_version_and_what_is_wrong_with_it(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saves = Saves(shop / "segments" / "buyers.yaml", [RULE.format(least=2), "when: oops\n", RULE.format(least=3)])
    assert run(shop, "--watch", wait=saves) == 0
    printed = capsys.readouterr()
    shown = [line for line in printed.out.splitlines() if line.startswith("buyers: ") and "profiles" in line]
    assert [line.split(" of")[0] for line in shown] == ["buyers: 2", "buyers: 1", "buyers: 0"]
    assert "buyers.yaml:1:" in printed.err
    assert "^" in printed.err


def test_waiting_ends_when_a_file_is_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "rule.yaml"
    path.write_text("one")
    naps = 0

    def nap(_: float) -> None:
        nonlocal naps
        naps += 1
        if naps == 2:
            path.unlink()

    monkeypatch.setattr("time.sleep", nap)
    assert wait_for_change([path])
    assert naps == 2


def test_progress_is_one_line_for_each_long_piece_of_work() -> None:
    stream = io.StringIO()
    progress = Progress(stream)
    for done in range(1, 41):
        progress("reading", done, 40)
    progress("searching", 1, 1)
    progress.clear()
    assert stream.getvalue() == "reading: done\n"

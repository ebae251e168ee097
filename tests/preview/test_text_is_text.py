"""Text from data is text: nothing of it is obeyed by a terminal, a shell or SQL."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.shop_live.snapshot import Change
from examples.shop_live.view import describe
from pipelines import preview, profiles
from pipelines.io.outputs import DuckDBOutput
from pipelines.words.summary import _try
from pipelines.words.summary_facts import TableFacts
from schemas.errors import InputError
from schemas.text import plain, printable, printable_json

ESCAPES = "\x1b]0;owned\x07\x1b[2J\x9b\u202e\r"


@given(st.text())
def test_nothing_invisible_is_left(text: str) -> None:
    assert all(character.isprintable() for character in plain(text))
    assert all(character.isprintable() or character in "\n\t" for character in printable(text))
    if not any(0xD800 <= ord(character) < 0xE000 for character in text):
        as_json = json.dumps(text, ensure_ascii=False)
        assert json.loads(printable_json(as_json)) == text
        assert printable_json(as_json).isprintable()


def test_errors_are_printable() -> None:
    assert str(InputError(f"--input {ESCAPES}: no")) == "--input ?]0;owned??[2J???: no"


def test_the_live_view_shows_names_as_text() -> None:
    assert "\x1b" not in describe(Change(0, "user:a", "vip", "entered", "event", "c", (ESCAPES,)))


@pytest.mark.parametrize("extra", [[], ["--profile", f"user:{ESCAPES}u"], ["--json"]])
def test_previews_hold_no_escape_of_the_data(
    extra: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    event = {"messageId": f"m{ESCAPES}", "type": "track", "event": f"Viewed{ESCAPES}", "userId": f"{ESCAPES}u"}
    (tmp_path / "e.ndjson").write_text(json.dumps(event | {"timestamp": "2026-01-05T10:00:00Z"}) + "\n")
    (tmp_path / "segments").mkdir()
    rule = tmp_path / "segments" / "everybody.yaml"
    rule.write_text(json.dumps({"when": "event('X').count() = 0 AND trait('a').absent()"}))
    assert preview.main(["--segment", str(rule), "--input", str(tmp_path / "e.ndjson"), *extra]) == 0
    out = capsys.readouterr().out
    assert all(character.isprintable() or character == "\n" for character in out)
    assert "u" in out


NAMES = ["it's", "$(touch owned)", "`touch owned`", 'a"b', "a\\", "!x", "''' + 1", "50% off"]


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> DuckDBOutput:
    """Tables in which each of the segments has one member of its own."""
    folder = tmp_path_factory.mktemp("names")
    (folder / "segments").mkdir()
    for place, name in enumerate(NAMES):
        rule = {"when": f"event('A').where(property('of') = {place}).count() >= 1"}
        (folder / "segments" / f"{name}.yaml").write_text(json.dumps(rule))
    event = {"type": "track", "event": "A", "timestamp": "2026-01-05T10:00:00Z"}
    lines = [
        event | {"messageId": str(place), "userId": f"ann{place}", "properties": {"of": place}}
        for place in range(len(NAMES))
    ]
    (folder / "e.ndjson").write_text("".join(json.dumps(line) + "\n" for line in lines))
    output = DuckDBOutput(str(folder / "it's $HOME!.duckdb"))
    command = ["--input", str(folder / "e.ndjson"), "--segments", str(folder / "segments"), "--output", str(output)]
    assert profiles.main(command) == 0
    return output


@pytest.mark.parametrize("name", NAMES)
def test_the_line_to_try_works_with_any_segment_name(name: str, output: DuckDBOutput) -> None:
    facts = TableFacts(datetime.now(UTC), 1, 0, 0, {name: 1}, {})
    line = "\n".join(list(_try(output, facts))[1:])
    done = subprocess.run(["/bin/bash", "-c", line], capture_output=True, text=True, check=False, cwd=Path.cwd())
    assert f"user:ann{NAMES.index(name)}" in done.stdout, done.stderr
    assert done.stdout.count("user:ann") == 1
    assert not (Path.cwd() / "owned").exists()

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


@pytest.mark.parametrize("name", ["it's", "$(touch owned)", "`touch owned`", 'a"b', "a\\", "!x", "''' + 1", "50% off"])
def test_the_line_to_try_works_with_any_segment_name(name: str, tmp_path: Path) -> None:
    (tmp_path / "segments").mkdir()
    (tmp_path / "segments" / f"{name}.yaml").write_text(json.dumps({"when": "event('A').count() >= 1"}))
    event = {"messageId": "a", "type": "track", "event": "A", "userId": "ann", "timestamp": "2026-01-05T10:00:00Z"}
    (tmp_path / "e.ndjson").write_text(json.dumps(event) + "\n")
    output = DuckDBOutput(str(tmp_path / "it's $HOME!.duckdb"))
    command = ["--input", str(tmp_path / "e.ndjson"), "--segments", str(tmp_path / "segments"), "--output", str(output)]
    assert profiles.main(command) == 0
    facts = TableFacts(datetime.now(UTC), 1, 0, 0, {name: 1}, {})
    line = "\n".join(list(_try(output, facts))[1:])
    done = subprocess.run(["/bin/bash", "-c", line], capture_output=True, text=True, check=False, cwd=Path.cwd())
    assert "user:ann" in done.stdout, done.stderr
    assert not (Path.cwd() / "owned").exists()

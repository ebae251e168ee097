"""The benchmark runs, its contenders answer the same question, and its many segments are all valid."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.batch import contenders, generated, members
from benchmarks.definitions import SHAPES, write_segments
from benchmarks.measure import measure
from transforms.segments.language.definitions import load_definitions

ROOT = Path(__file__).parents[2]


def test_those_that_validate_and_know_no_identity_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours counts fewer: it knows which of two visitors are one person. SQL may count more: it refuses no event."""
    monkeypatch.chdir(ROOT)
    events = generated(tmp_path, 4000)
    found = {}
    for contender in contenders(tmp_path, events, [10]):
        measured = measure(contender.module, contender.arguments)
        assert measured.seconds > 0
        assert measured.peak_bytes > 0
        found[contender.module] = int(members(measured))
    ours = found.pop("pipelines.profiles")
    assert found["benchmarks.idiomatic_beam"] == found["benchmarks.bytewax_flow"]
    assert 0 < ours <= found["benchmarks.bytewax_flow"] <= found["benchmarks.duckdb_rule"]
    assert found["benchmarks.duckdb_rules"] == found["benchmarks.duckdb_rule"]


def test_what_fails_is_told() -> None:
    with pytest.raises(RuntimeError, match="no_such_file"):
        measure("benchmarks.bytewax_flow", ["no_such_file"])


def test_any_number_of_segments_are_valid_and_differ(tmp_path: Path) -> None:
    write_segments(tmp_path / "segments", 250)
    definitions = load_definitions(str(tmp_path / "segments"), str(ROOT / "traits")).definitions
    assert len(definitions.segments) == 250
    assert len({segment.when for segment in definitions.segments}) == 250
    assert {file.stem for file in SHAPES} <= {segment.name for segment in definitions.segments}


def test_fewer_segments_replace_more(tmp_path: Path) -> None:
    for count in (12, 3):
        write_segments(tmp_path, count)
    assert len(list(tmp_path.iterdir())) == 3

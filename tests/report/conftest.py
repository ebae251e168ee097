"""The tables of a small made-up shop."""

from __future__ import annotations

from pathlib import Path

import pytest

from examples.history import make_history
from pipelines import profiles

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same tables as a DuckDB file and as a folder; the events that they were made of."""
    folder = tmp_path_factory.mktemp("report")
    events = folder / "events.ndjson"
    events.write_bytes(b"\n".join(make_history(3_000, 5, 30, 0.02)) + b"\n")
    places = {"events": events, "duckdb": folder / "shop.duckdb", "files": folder / "shop"}
    definitions = ["--segments", str(ROOT / "segments"), "--traits", str(ROOT / "traits")]
    for kind in ("duckdb", "files"):
        output = f"{kind}:{places[kind]}"
        assert profiles.main(["--input", str(events), *definitions, "--output", output]) == 0
    return places

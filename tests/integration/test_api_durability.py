"""Kill -9 under load, a stop under load: whatever was answered with 200 is in the tables, once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.integration.api_load import Load, Server, write_keys
from tests.integration.stream_jobs import run_batch, write_segments


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_keys(tmp_path)
    return tmp_path


@pytest.fixture(params=[1, 2])
def server(folder: Path, request: pytest.FixtureRequest) -> Iterator[Server]:
    server = Server(folder, workers=request.param)
    yield server
    server.close()


def lines(folder: Path) -> list[Any]:
    assert not list((folder / "spool").glob(".*")), "what a crash left is published"
    return [json.loads(line) for file in (folder / "spool").iterdir() for line in file.read_bytes().splitlines()]


def test_what_was_answered_survives_being_killed(folder: Path, server: Server) -> None:
    server.start()
    with Load(server) as load:
        for round_ in range(1, 5):
            load.wait_for(300 * round_)
            server.kill()
            server.start()
        load.wait_for(1500)
        load.stop()
    assert server.stop() == 0
    found = [event["messageId"] for event in lines(folder)]
    assert load.answered - set(found) == set()
    present = set(found)
    halves = [names for names in load.sent if 0 < sum(name in present for name in names) < len(names)]
    assert halves == [], "a batch is there whole or not at all"
    write_segments(folder / "segments")
    run_batch([f"{folder}/spool/*.ndjson"], folder / "segments", folder / "out.duckdb")
    with duckdb.connect(str(folder / "out.duckdb"), read_only=True) as connection:
        rows = connection.execute("SELECT message_id FROM events").fetchall()
        assert connection.execute("SELECT reason, errors FROM failed_events").fetchall() == []
    assert sorted(name for (name,) in rows) == sorted(present), "each once, whatever was sent again"


def test_a_stop_is_a_good_end_from_the_first_word_on(server: Server) -> None:
    for _ in range(5):
        server.start()
        assert server.stop() == 0


def test_a_stop_under_load_ends_what_was_begun(folder: Path, server: Server) -> None:
    server.start()
    with Load(server) as load:
        load.wait_for(500)
        assert server.stop() == 0
        load.stop()
    assert load.answered - {event["messageId"] for event in lines(folder)} == set()

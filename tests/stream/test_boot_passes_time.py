"""How far time has passed when a history is taken in: what the live inputs say, none of them waited for."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from pipelines.boot.live import passed_us
from pipelines.io.journal.journal import open_journal
from pipelines.io.journal.read_history import begin
from pipelines.io.locations import parse_input
from pipelines.io.stream.source_options import SourceOptions
from schemas.instants import parse_instant_us

OPTIONS = SourceOptions(out_of_orderness_seconds=10.0)
TEN_SECONDS_US = 10_000_000


def passed(folder: Path, *texts: str, options: SourceOptions = OPTIONS) -> int | None:
    inputs = [parse_input(text) for text in texts]
    return passed_us(begin(str(folder / "journal"), "run", inputs), inputs, options)


def event(at: str) -> bytes:
    return json.dumps({"messageId": at, "type": "track", "event": "Seen", "userId": "ann", "timestamp": at}).encode()


def test_an_input_with_nothing_to_read_is_where_the_clock_is(tmp_path: Path) -> None:
    before = time.time_ns() // 1_000 - TEN_SECONDS_US
    found = passed(tmp_path, f"watch:{tmp_path}/*.ndjson")
    assert found is not None
    assert before <= found <= time.time_ns() // 1_000 - TEN_SECONDS_US


def test_one_with_events_is_where_its_watermark_will_be(tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_bytes(event("2026-05-01T00:00:00Z") + b"\n" + event("2026-05-02T00:00:00Z") + b"\n")
    found = passed(tmp_path, f"watch:{tmp_path}/*.ndjson")
    assert found == parse_instant_us("2026-05-02T00:00:00Z") - TEN_SECONDS_US


def test_what_is_read_only_in_part_says_nothing_before_all_of_it_is(tmp_path: Path) -> None:
    """Of two files the older one is read first; while the other waits it may hold events of any age."""
    now = int(time.time())
    for name, at, updated in (("a", "2026-05-01T00:00:00Z", now - 2), ("b", "2026-04-01T00:00:00Z", now - 1)):
        (tmp_path / f"{name}.ndjson").write_bytes(event(at) + b"\n")
        os.utime(tmp_path / f"{name}.ndjson", (updated, updated))
    options = SourceOptions(out_of_orderness_seconds=10.0, max_poll_records=1)
    found = passed(tmp_path, f"watch:{tmp_path}/*.ndjson", options=options)
    assert found == parse_instant_us("2026-05-01T00:00:00Z") - TEN_SECONDS_US


def test_the_slowest_input_decides(tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_bytes(event("2026-05-02T00:00:00Z") + b"\n")
    (tmp_path / "empty").mkdir()
    found = passed(tmp_path, f"watch:{tmp_path}/*.ndjson", f"watch:{tmp_path}/empty/*.ndjson")
    assert found == parse_instant_us("2026-05-02T00:00:00Z") - TEN_SECONDS_US


def test_an_input_that_cannot_be_looked_at_stops_the_clock(tmp_path: Path) -> None:
    texts = f"watch:{tmp_path}/*.ndjson", "pubsub:projects/shop/subscriptions/events"
    assert passed(tmp_path, *texts) is None


def test_but_one_is_not_behind_where_an_earlier_run_has_left_it(tmp_path: Path) -> None:
    text = "pubsub:projects/shop/subscriptions/events"
    at = parse_instant_us("2026-05-02T00:00:00Z")
    open_journal(tmp_path / "journal").note_watermark(f"{text}#0/1", at)
    assert passed(tmp_path, text) == at - 1_000

"""Messages through the whole graph of the unbounded job: what is too late, what is no event, rules that change."""

import itertools
import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam
import msgspec
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.direct.direct_runner import BundleBasedDirectRunner
from apache_beam.testing.test_stream import TestStream
from apache_beam.transforms.window import TimestampedValue

from pipelines.options.profiles import parse_profiles_options
from pipelines.stream import FollowMessages
from pipelines.watched_rules import WatchedRules
from schemas.message import Message
from schemas.tables import PROFILES
from schemas.tracking_plan import load_tracking_plan
from schemas.update import RowUpdate
from tests.strategies.worlds import GRID_US, START_US
from tests.stream.graphs import FixedClock, KeepUpdates, milliseconds
from transforms.parse import EventParser
from transforms.stream.settings import StreamSettings

HOUR = GRID_US


def message(message_id: str, hour: int, name: str = "Product Viewed") -> Message:
    seconds = (START_US + hour * HOUR) // 1_000_000
    wire = {"messageId": message_id, "type": "track", "event": name, "userId": "ann"}
    stamp = f"2026-01-05T{(seconds // 3600) % 24:02}:00:00Z"
    return Message(json.dumps(wire | {"timestamp": stamp}).encode(), "watch:shop", {})


def at(value: Message | int, hour: int) -> TimestampedValue:
    return TimestampedValue(value, milliseconds(START_US + hour * HOUR))


def write_rule(folder: Path, rule: str) -> None:
    (folder / "s.yaml").write_text(json.dumps({"description": "A segment.", "when": rule}))


def follow(tmp_path: Path, now_hour: int, stream: TestStream, rule: str = "") -> Any:
    """The updates, by table. Whole numbers in the stream are ticks; at the second, the rule changes."""
    rows, segments = tmp_path / "rows", tmp_path / "segments"
    rows.mkdir()
    segments.mkdir()
    write_rule(segments, "event('Product Viewed').within(4 hours).count() >= 1")
    rules = WatchedRules.of(parse_profiles_options(command_line(tmp_path, segments)))
    clock = FixedClock(START_US + now_hour * HOUR)
    settings = StreamSettings(rules, clock, allowed_lateness_us=2 * HOUR, clock_skew_us=0, buckets=2)
    with beam.Pipeline(runner=BundleBasedDirectRunner(), options=PipelineOptions(["--streaming"])) as pipeline:
        elements = pipeline | "Elements" >> stream
        ticks = (
            elements
            | "Ticks" >> beam.Filter(lambda element: isinstance(element, int))
            | "Change" >> beam.ParDo(ChangesTheRule(str(segments), rule))
        )
        messages = elements | "Messages" >> beam.Filter(lambda element: not isinstance(element, int))
        follow_messages = FollowMessages(EventParser(load_tracking_plan(None)), settings, ticks)
        _ = messages | follow_messages | "Keep" >> beam.ParDo(KeepUpdates(str(rows)))
    found: dict[str, list[RowUpdate]] = {}
    for file in sorted(rows.iterdir()):
        for update in msgspec.msgpack.decode(file.read_bytes(), type=list[RowUpdate]):
            found.setdefault(update.table, []).append(update)
    return found


def command_line(folder: Path, segments: Path) -> list[str]:
    places = ["--input", f"watch:{folder}/in/*.ndjson", "--segments", str(segments), "--output", f"duckdb:{folder}/o"]
    return [*places, "--refresh", "1 second"]


@pytest.fixture(autouse=True)
def _time_flies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whenever the rules are asked for, a minute has passed: nobody need wait for `--refresh`."""
    minutes = itertools.count(step=60)
    monkeypatch.setattr("pipelines.watched_rules.monotonic", lambda: next(minutes))


class ChangesTheRule(beam.DoFn):
    """At the second tick the rule is another one."""

    def __init__(self, folder: str, rule: str) -> None:
        self._folder = folder
        self._rule = rule

    def process(self, tick: int) -> Iterator[int]:
        if tick == 2:
            write_rule(Path(self._folder), self._rule)
        yield tick


def test_what_comes_after_the_allowed_lateness_is_a_failed_event(tmp_path: Path) -> None:
    stream = TestStream().add_elements([at(message("a", 1), 1)])
    stream = stream.advance_watermark_to(milliseconds(START_US + 9 * HOUR))
    # A source stamps what comes behind the watermark with the watermark.
    stream = stream.add_elements([at(message("b", 7), 9), at(message("c", 6), 9)]).advance_watermark_to_infinity()
    found = follow(tmp_path, 9, stream)
    assert {update.row[0] for update in found["events"]} == {"a", "b"}
    assert [(update.row[1], update.row[4]) for update in found["failed_events"]] == [("too_late", "c")]
    assert json.loads(found["failed_events"][0].row[5])["messageId"] == "c", "its bytes are kept"


def test_a_retract_takes_out_an_event_however_long_ago_it_came(tmp_path: Path) -> None:
    """Its message id is forgotten two hours after it, and an hour: what is left of it leads to the event."""
    wire = {"messageId": "r", "type": "retract", "retracts": "a", "timestamp": "2026-01-05T09:00:00Z"}
    stream = TestStream().add_elements([at(message("a", 1), 1), at(message("b", 2), 2)])
    stream = stream.advance_watermark_to(milliseconds(START_US + 9 * HOUR))
    stream = stream.add_elements([at(Message(json.dumps(wire).encode(), "watch:shop", {}), 9)])
    found = follow(tmp_path, 9, stream.advance_watermark_to_infinity())
    assert [(row.row[0], row.row[3]) for row in found["retractions"]] == [("r", True)]
    newest = {update.row[0]: update for update in sorted(found["events"], key=lambda update: update.version)}
    assert {name: update.withdrawn for name, update in newest.items()} == {"a": True, "b": False}
    profiles = max(found["profiles"], key=lambda update: update.version)
    assert profiles.row[PROFILES.column_names().index("event_count")] == 1


def test_what_cannot_be_read_fails_at_once(tmp_path: Path) -> None:
    stream = TestStream().add_elements([at(Message(b"{", "watch:shop", {}), 1)]).advance_watermark_to_infinity()
    assert [update.row[1] for update in follow(tmp_path, 1, stream)["failed_events"]] == ["malformed_json"]


def test_a_drain_is_not_taken_for_time_that_passes(tmp_path: Path) -> None:
    stream = TestStream().add_elements([at(message("a", 1), 1)])
    stream = stream.advance_watermark_to(milliseconds(START_US + 4 * HOUR)).advance_watermark_to_infinity()
    found = follow(tmp_path, 4, stream)
    assert [update.row[3] for update in found["memberships"]] == [None], "she is in it until five o'clock"


def test_a_rule_that_changes_is_told_to_profiles_without_new_events(tmp_path: Path) -> None:
    stream = TestStream().add_elements([at(message("a", 1), 1)])
    for tick in (1, 2, 3):
        stream = stream.add_elements([at(tick, 2)]).advance_watermark_to(milliseconds(START_US + HOUR + tick * 1000))
    stream = stream.advance_watermark_to_infinity()
    found = follow(tmp_path, 2, stream, "event('Order Completed').count() >= 1")
    said = sorted((update.row for update in found["membership_changes"]), key=lambda row: row[-1])
    assert [(row[4], row[6]) for row in said] == [("entered", "event"), ("retracted", "segment_changed")]


@pytest.mark.parametrize("spoil", ["not yaml: [", None])
def test_rules_that_cannot_be_read_stay_as_they_are(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, spoil: str | None
) -> None:
    segments = tmp_path / "segments"
    segments.mkdir()
    write_rule(segments, "event('Product Viewed').count() >= 1")
    rules = pickle.loads(  # noqa: S301 - as workers get them
        pickle.dumps(WatchedRules.of(parse_profiles_options(command_line(tmp_path, segments))))
    )
    before = rules.current()
    if spoil is None:
        (segments / "s.yaml").unlink()
    else:
        (segments / "s.yaml").write_text(spoil)
    assert rules.current() is before
    assert rules.current() is before
    assert [record.getMessage()[:26] for record in caplog.records] == ["the rules stay as they are"], "said once"
    write_rule(segments, "event('Order Completed').count() >= 1")
    assert rules.current().fingerprint != before.fingerprint

"""The lag from an event to its row: when it came in, along which way that is known, and how it is counted."""

import json
from pathlib import Path

import apache_beam as beam
import msgspec
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.direct.direct_runner import BundleBasedDirectRunner
from apache_beam.testing.test_stream import TestStream
from apache_beam.transforms.window import TimestampedValue
from hypothesis import given
from hypothesis import strategies as st

from pipelines.io.duckdb.written import Written
from pipelines.io.stream.message_coder import MessageCoder
from pipelines.stream import FollowMessages
from schemas.message import Message
from schemas.stamp import came_us_of, earlier, packed_of, stamped
from schemas.tracking_plan import load_tracking_plan
from schemas.update import RowUpdate, pack_updates, unpack_updates
from tests.strategies.worlds import START_US
from tests.stream.graphs import FixedClock, KeepUpdates, milliseconds
from transforms.counting import begin_counting, count_rows, counted_here
from transforms.lag import LAG_BUCKET, LAG_MILLISECONDS, LAG_SECONDS, ROWS_WRITTEN, came_in_us, lag_counts
from transforms.numbers import Spread
from transforms.parse import EventParser
from transforms.profiles.evaluate import Rules
from transforms.segments.language import ast
from transforms.state.facts import Message as Told
from transforms.state.facts import pack_messages, unpack_messages
from transforms.state.outbox import Outbox
from transforms.stream.settings import FixedRules, StreamSettings

SECOND_US = 1_000_000
HOUR_US = 3600 * SECOND_US
INSTANTS = st.integers(1, 2**52)


@given(INSTANTS, INSTANTS | st.none())
def test_an_event_comes_in_when_it_is_received_unless_that_is_long_ago(
    published_us: int, received_us: int | None
) -> None:
    came_us = came_in_us(published_us, received_us)
    assert published_us - 24 * HOUR_US <= came_us <= published_us
    assert came_us in (published_us, received_us)
    assert came_in_us(0, received_us) == 0, "history has come in long ago"


@given(st.dictionaries(st.integers(0, 40 * HOUR_US), st.integers(1, 5), max_size=5))
def test_buckets_add_up_from_the_least_lag_to_all(rows: dict[int, int]) -> None:
    now_us = 40 * HOUR_US
    counts = lag_counts(rows, now_us)
    numbers = [counts[f"{LAG_BUCKET}{end:g}"] for end in LAG_SECONDS] + [counts[f"{LAG_BUCKET}inf"]]
    assert numbers == sorted(numbers)
    assert numbers[-1] == sum(number for came_us, number in rows.items() if came_us)
    for end, number in zip(LAG_SECONDS, numbers, strict=False):
        late = sum(n for came_us, n in rows.items() if came_us and now_us - came_us <= end * SECOND_US)
        assert number == late


def test_what_seems_to_come_from_the_future_is_not_late() -> None:
    assert lag_counts({9: 1}, 5)[f"{LAG_BUCKET}{LAG_SECONDS[0]:g}"] == 1


@given(st.lists(st.integers()), st.integers(0, 2**62))
def test_a_stamp_changes_nothing_of_what_it_stands_before(values: list[int], came_us: int) -> None:
    values = [value % 2**32 for value in values]
    packed = msgspec.msgpack.encode(values)
    element = stamped(packed, came_us)
    assert (came_us_of(element), msgspec.msgpack.decode(packed_of(element))) == (came_us, values)
    assert (came_us_of(packed), bytes(packed_of(packed))) == (0, packed), "of an older release, or of the past"


@given(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9))
def test_the_earliest_stamp_counts_whatever_the_order(one: int, two: int, three: int) -> None:
    assert earlier(one, earlier(two, three)) == earlier(earlier(three, one), two)
    assert earlier(one, 0) == one


def test_rows_and_messages_keep_the_stamp_on_their_way() -> None:
    outbox = Outbox(1)
    row, message = RowUpdate("events", ("m",), 1), Told("users", "u", ("event",))
    outbox.take([row, message], 0, 7)
    outbox.take([], 0, 5)
    outbox.take([], 0)
    (_, (_, told)), (_, rows) = outbox.give()
    assert isinstance(told, bytes)
    assert isinstance(rows, bytes)
    assert (list(unpack_messages(told)), came_us_of(told)) == ([message], 5)
    assert unpack_updates(rows) == [row._replace(came_us=5)]
    assert unpack_updates(pack_updates([row])) == [row]
    assert unpack_messages(pack_messages([message]))


@given(st.builds(Message, st.binary(), st.text(), st.just({}), st.text(), st.integers(0, 2**62)))
def test_a_message_keeps_when_it_came_in_from_worker_to_worker(message: Message) -> None:
    assert MessageCoder().decode(MessageCoder().encode(message)) == message


def test_rows_of_all_stages_say_when_their_event_came_in(tmp_path: Path) -> None:
    wire = {"messageId": "m", "type": "track", "event": "Order Completed", "userId": "ann", "anonymousId": "a"}
    raw = json.dumps(wire | {"timestamp": "2026-01-05T01:00:00Z", "receivedAt": "2026-01-05T01:00:02Z"}).encode()
    published_us = 1_767_574_805_000_000  # three seconds after it was received
    settings = StreamSettings(FixedRules(Rules(ast.Definitions(()))), FixedClock(START_US), HOUR_US, buckets=2)
    message = TimestampedValue(Message(raw, "kafka:x:1/t", {}, came_us=published_us), milliseconds(START_US))
    with beam.Pipeline(runner=BundleBasedDirectRunner(), options=PipelineOptions(["--streaming"])) as pipeline:
        messages = pipeline | TestStream().add_elements([message]).advance_watermark_to_infinity()
        follow = FollowMessages(EventParser(load_tracking_plan(None)), settings)
        _ = messages | follow | "Keep" >> beam.ParDo(KeepUpdates(str(tmp_path)))
    updates = [
        update
        for file in tmp_path.iterdir()
        for update in msgspec.msgpack.decode(file.read_bytes(), type=list[RowUpdate])
    ]
    assert {update.table for update in updates} == {"events", "identity_links", "profiles"}
    assert {update.came_us for update in updates} == {published_us - 3 * SECOND_US}


def test_rows_of_a_local_output_are_late_until_they_are_shown() -> None:
    now_us = [10 * SECOND_US]
    begin_counting()
    written = Written(lambda: now_us[0])
    first, second = (RowUpdate("events", ("m",), 1, came_us=second * SECOND_US) for second in (4, 8))
    history = RowUpdate("profiles", ("p",), 1)
    written.hold([first, second, history])
    assert written.waiting_since_us() == first.came_us
    written.write([first, history])
    assert written.waiting_since_us() == first.came_us, "written, and not shown"
    assert counted_here().counters == {}
    written.publish()
    assert written.waiting_since_us() == second.came_us
    counted = counted_here()
    assert counted.counters[ROWS_WRITTEN + "events"] == counted.counters[ROWS_WRITTEN + "profiles"] == 1
    assert counted.spreads[LAG_MILLISECONDS] == Spread(1, 6_000, 6_000)
    now_us[0] += SECOND_US
    written.write([second])
    written.publish()
    assert written.waiting_since_us() == 0
    assert counted_here().counters[LAG_BUCKET + "5"] == 1, "three seconds"
    begin_counting()


def test_rows_are_counted_with_their_lags() -> None:
    begin_counting()
    count_rows({"events": 3}, {0: 1, 2 * SECOND_US: 2}, 4 * SECOND_US)
    counted = counted_here()
    assert counted.counters[LAG_BUCKET + "2.5"] == 2
    assert counted.counters.get(LAG_BUCKET + "1", 0) == 0
    assert counted.spreads[LAG_MILLISECONDS] == Spread(2, 4_000, 2_000)
    begin_counting()

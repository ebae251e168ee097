"""The watermark's arithmetic. Times are seconds here, microseconds inside."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.io.stream.event_time import UNKNOWN_US, read_event_time_us
from pipelines.io.stream.watermark import StreamWatermark, WatermarkPolicy

SECOND = 1_000_000
POLICY = WatermarkPolicy(out_of_orderness_us=10 * SECOND, idle_timeout_us=30 * SECOND)


def watermark_of(*partitions: str) -> StreamWatermark:
    watermark = StreamWatermark(POLICY)
    watermark.track(partitions)
    return watermark


def test_nothing_is_known_before_the_first_record() -> None:
    assert watermark_of("0").current_us() is None
    assert StreamWatermark(POLICY).current_us() is None


def test_it_trails_the_latest_event_by_the_out_of_orderness() -> None:
    watermark = watermark_of("0")
    watermark.observe("0", 100 * SECOND, now_us=200 * SECOND)
    watermark.observe("0", 95 * SECOND, now_us=200 * SECOND)
    assert watermark.current_us() == 90 * SECOND


def test_the_slowest_partition_counts() -> None:
    watermark = watermark_of("0", "1")
    watermark.observe("0", 100 * SECOND, now_us=200 * SECOND)
    assert watermark.current_us() is None
    watermark.observe("1", 50 * SECOND, now_us=200 * SECOND)
    assert watermark.current_us() == 40 * SECOND


def test_a_clock_ahead_does_not_carry_the_watermark_past_now() -> None:
    watermark = watermark_of("0")
    watermark.observe("0", 10_000 * SECOND, now_us=200 * SECOND)
    assert watermark.current_us() == 190 * SECOND


def test_an_empty_partition_stops_holding_after_the_idle_timeout() -> None:
    watermark = watermark_of("0", "1")
    watermark.observe("0", 200 * SECOND, now_us=200 * SECOND)
    watermark.found_empty("1", 200 * SECOND)
    watermark.found_empty("1", 229 * SECOND)
    assert watermark.current_us() is None
    watermark.found_empty("1", 230 * SECOND)
    assert watermark.current_us() == 190 * SECOND
    watermark.observe("0", 300 * SECOND, now_us=300 * SECOND)
    assert watermark.current_us() == 220 * SECOND, "an idle partition counts as of when it was last found empty"


def test_when_all_are_idle_it_follows_the_clock() -> None:
    watermark = watermark_of("0")
    watermark.observe("0", 100 * SECOND, now_us=100 * SECOND)
    watermark.found_empty("0", 101 * SECOND)
    watermark.found_empty("0", 500 * SECOND)
    assert watermark.current_us() == 490 * SECOND


@pytest.mark.parametrize("interruption", ["record", "behind"])
def test_silence_counts_only_without_a_break(interruption: str) -> None:
    watermark = watermark_of("0")
    watermark.found_empty("0", 100 * SECOND)
    if interruption == "record":
        watermark.observe("0", 120 * SECOND, now_us=120 * SECOND)
    else:
        watermark.found_behind("0")
    watermark.found_empty("0", 125 * SECOND)
    watermark.found_empty("0", 140 * SECOND)
    assert watermark.current_us() == (110 * SECOND if interruption == "record" else None)


def test_a_source_that_does_not_answer_is_not_idle() -> None:
    watermark = watermark_of("0")
    watermark.found_empty("0", 100 * SECOND)
    # An hour without an answer: nobody says that it is empty, so the clock alone moves nothing.
    assert StreamWatermark(POLICY, watermark.encode()).current_us() is None


def test_held_partitions_do_not_move_it() -> None:
    watermark = watermark_of("files")
    watermark.hold("files", True)
    watermark.observe("files", 100 * SECOND, now_us=100 * SECOND)
    assert watermark.current_us() is None
    watermark.hold("files", False)
    assert watermark.current_us() == 90 * SECOND


def test_a_new_partition_does_not_take_it_back() -> None:
    watermark = watermark_of("0")
    watermark.observe("0", 100 * SECOND, now_us=100 * SECOND)
    assert watermark.current_us() == 90 * SECOND
    watermark.track(["0", "1"])
    watermark.observe("1", 20 * SECOND, now_us=100 * SECOND)
    assert watermark.current_us() == 90 * SECOND


def test_elements_are_never_before_the_watermark() -> None:
    watermark = watermark_of("0")
    watermark.observe("0", 100 * SECOND, now_us=100 * SECOND)
    watermark.current_us()
    assert watermark.element_time_us(20 * SECOND) == 20 * SECOND  # what this bundle reads moves it only afterwards
    watermark = StreamWatermark(POLICY, watermark.encode())
    assert watermark.element_time_us(20 * SECOND) == 90 * SECOND
    assert watermark.element_time_us(95 * SECOND) == 95 * SECOND
    assert watermark.element_time_us(91 * SECOND) == 91 * SECOND
    assert watermark.latest_element_us == 95 * SECOND


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["observe", "empty", "behind", "hold", "release"]), st.sampled_from("012"), st.integers(0, 99)
    ),
    max_size=40,
)


@given(STEPS)
def test_it_never_goes_back_never_passes_the_clock_and_survives_a_restart(steps: list[tuple[str, str, int]]) -> None:
    kept, restarted = watermark_of("0", "1", "2"), watermark_of("0", "1", "2")
    before, now_us = None, 0
    for action, partition, number in steps:
        now_us += number * SECOND
        for watermark in (kept, restarted):
            if action == "observe":
                watermark.observe(partition, number * 3 * SECOND, now_us)
            elif action == "empty":
                watermark.found_empty(partition, now_us)
            elif action == "behind":
                watermark.found_behind(partition)
            else:
                watermark.hold(partition, action == "hold")
        current = kept.current_us()
        restarted = StreamWatermark(POLICY, restarted.encode())
        assert restarted.current_us() == current
        if current is not None:
            assert current <= now_us - POLICY.out_of_orderness_us
            assert before is None or current >= before
            before = current


@pytest.mark.parametrize(
    ("raw", "event_s"),
    [
        (b'{"timestamp": "1970-01-01T00:00:20Z"}', 20),
        (b'{"timestamp": "1970-01-01T01:00:20+01:00", "properties": {"timestamp": "1970-01-01T00:00:50Z"}}', 20),
        (b'{"timestamp": "1970-01-01T00:03:20Z"}', 100),
        (b'{"receivedAt": "1970-01-01T00:00:30Z"}', 30),
        (b'{"timestamp": "1970-01-01T00:00:20Z", "receivedAt": "1970-01-01T00:00:30Z"}', 20),
        (b'{"timestamp": "1970-01-03T00:00:20Z", "receivedAt": "1970-01-01T00:00:30Z"}', None),
        (b'{"properties": {"timestamp": "1970-01-01T00:00:50Z"}}', None),
        (b'{"timestamp": "1970-01-01T00:00:20"}', None),
        (b'{"timestamp": 20}', None),
        (b'{"timestamp": null}', None),
        (b'{"timestamp": "yesterday"}', None),
        (b'["timestamp"]', None),
        (b'{"timestamp": "1970-01-01T00:00:20Z"', None),
        (b"\xff\xfe", None),
        (b"", None),
    ],
)
def test_the_event_time_of_a_record_that_arrived_at_100(raw: bytes, event_s: int | None) -> None:
    assert read_event_time_us(raw, 100 * SECOND) == (UNKNOWN_US if event_s is None else event_s * SECOND)

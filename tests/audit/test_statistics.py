"""The arithmetic of the audit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.audit.checks.clock_shift import distance
from transforms.audit.finding import Finding
from transforms.audit.reference import LONGEST_ALARM
from transforms.audit.root_cause import causes
from transforms.audit.shares import ShareRule, share_alarms, wilson
from transforms.audit.volumes import VolumeRule, volume_alarms


@given(st.integers(0, 500), st.integers(1, 500))
def test_wilson_holds_the_share(part: int, rest: int) -> None:
    low, high = wilson(part, part + rest)
    assert 0 <= low <= part / (part + rest) <= high <= 1


def test_wilson_is_the_published_interval() -> None:
    """Newcombe (1998), table I: 81 of 263, 95 %."""
    assert wilson(81, 263, 1.959964) == pytest.approx((0.2553, 0.3662), abs=1e-4)


def test_one_of_three_is_no_spike() -> None:
    counts = dict.fromkeys(range(40), (0.0, 3.0)) | {40: (1.0, 3.0)}
    assert list(share_alarms(counts, ShareRule(fewest=1))) == []


def test_a_quiet_sunday_is_no_alarm_and_a_quiet_monday_is() -> None:
    counts = {day: 100.0 if day % 7 == 3 else 1_000.0 for day in range(60)}
    assert list(volume_alarms(counts, 59, VolumeRule())) == []
    assert [alarm.day for alarm in volume_alarms(counts | {55: 100.0}, 59, VolumeRule())] == [55]


def test_alarmed_days_leave_the_reference() -> None:
    """The tenth day of a fault is as much of an alarm as the first one; after two weeks it is how things are."""
    counts = {day: 1_000.0 if day < 50 else 100.0 for day in range(50 + LONGEST_ALARM + 30)}
    alarms = list(volume_alarms(counts, max(counts), VolumeRule()))
    assert [alarm.day for alarm in alarms] == list(range(50, 50 + LONGEST_ALARM))
    assert {alarm.first_day for alarm in alarms} == {50}


@given(st.lists(st.floats(0.1, 9), min_size=24, max_size=24), st.lists(st.floats(0.1, 9), min_size=24, max_size=24))
def test_the_distance_of_hours_is_one(one: list[float], other: list[float]) -> None:
    assert distance(one, one) == pytest.approx(0, abs=1e-7)
    assert 0 <= distance(one, other) <= 1
    assert distance(one, other) == pytest.approx(distance(other, one))


def finding(check: str, subject: str, source: str = "web") -> Finding:
    return Finding(check, source, subject, 9, "warning", 1.0, 0.0, 9)


def test_a_source_before_its_properties() -> None:
    found = causes([finding("event_volume", "web: Order Completed"), finding("silent_source", "web")])
    assert [one.check for one in found] == ["silent_source"]


def test_what_happens_to_another_source_is_told() -> None:
    found = causes([finding("event_volume", "app: Order Completed", "app"), finding("silent_source", "web")])
    assert len(found) == 2


def test_a_field_that_is_gone_from_many_events_is_one_row() -> None:
    events = ("Product Viewed", "Product Added", "Order Completed")
    found = causes([finding("null_property", f"web: {event}.price") for event in events])
    assert [one.subject for one in found] == ["web: *.price"]


def test_an_event_that_lost_all_its_fields_is_one_row() -> None:
    found = causes([finding("null_property", f"web: Order Completed.{field}") for field in "abcdef"])
    assert [one.subject for one in found] == ["web: Order Completed.*"]

"""Profiles that have left their oldest events behind, told step by step."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.strategies.worlds import GRID_US, START_US
from tests.stream.test_profile_stories import Story, event, message, rules
from transforms.profiles.cell import ProfileCell
from transforms.profiles.evaluate import Rules
from transforms.profiles.history import build_history
from transforms.profiles.history_cell import REFRESH
from transforms.state.facts import DELETED, MERGE, Message
from transforms.state.horizon import Horizon

HOUR = GRID_US
HORIZON = Horizon(100 * HOUR)
VIEWED = "event('Viewed').within(4 hours).count() >= 1"
LOYAL = "event('Viewed').count() >= 200"
MANY = 300


class Settled(Story):
    """A profile with an event each hour, all of which it has left behind but the last hundred."""

    def __init__(self, first: Rules, count: int = MANY) -> None:
        super().__init__(first)
        self.cell.horizon = HORIZON
        self.past: list[bytes] = []
        for start in range(0, count, 100):
            self.told(*(message(event(f"m{hour:05}", hour)) for hour in range(start, start + 100)))
            self.settle(start)

    def settle(self, hour: int) -> None:
        left = self.cell.leave_behind(self.rules, START_US + hour * HOUR - 1)
        if left is not None:
            self.past.append(left[0])

    def told(self, *messages: Message) -> list[str]:
        """As `_MaintainProfiles` does it."""
        if self.cell.needs_past(self.rules, messages):
            self.cell.restore(self.past)
            self.past = []
        return super().told(*messages)

    def moves(self) -> None:
        """Another worker takes the cell over."""
        self.cell = ProfileCell.unpack("user:u1", self.cell.pack())
        self.cell.horizon = HORIZON

    def stands(self) -> dict[Any, Any]:
        """The memberships that are written."""
        rows = {update.row[1:3]: update for update in self.updates if update.table == "memberships"}
        return {key: update.row[3:-1] for key, update in rows.items() if not update.withdrawn}


def expected(known: Rules, hours: list[tuple[str, float]], until: float) -> tuple[Any, dict[Any, Any]]:
    events = sorted((event(name, hour) for name, hour in hours), key=lambda one: (one.timestamp, one.message_id))
    history = build_history(known.program, "user:u1", events, START_US + round(until * HOUR))
    assert history is not None
    return history.profile[:-2], {row[1:3]: row[3:-1] for row in history.memberships}


def hourly(count: int = MANY) -> list[tuple[str, float]]:
    return [(f"m{hour:05}", hour) for hour in range(count)]


@pytest.fixture
def known(tmp_path: Path) -> Rules:
    return rules(tmp_path, s=VIEWED, loyal=LOYAL, fresh="event('Viewed').first_at().within_last(1 day)")


def test_a_profile_with_thousands_of_events_takes_little_room(known: Rules) -> None:
    story = Settled(known, count=10_000)
    assert len(story.cell.pack()) < 20_000, "a hundred events and a base"
    story.moves()
    story.told(message(event("late", 9_950.5)))
    row, stays = expected(known, [*hourly(10_000), ("late", 9_950.5)], 9_999)
    assert story.profile()[:-2] == row
    assert story.stands() == stays


def test_a_late_event_is_taken_in_from_the_base_on(known: Rules) -> None:
    story = Settled(known)
    parts = len(story.past)
    story.told(message(event("late", 250.5)))
    assert len(story.past) == parts > 0, "the past was not asked for"
    row, stays = expected(known, [*hourly(), ("late", 250.5)], MANY - 1)
    assert (story.profile()[:-2], story.stands()) == (row, stays)


def test_events_of_a_merged_user_are_taken_in_where_they_belong(known: Rules) -> None:
    story = Settled(known)
    story.moves()
    story.told(*(message(event(f"other{hour}", hour + 0.5), why=MERGE) for hour in range(-20, 60)))
    assert story.past == [], "the cell has its past again"
    others = [(f"other{hour}", hour + 0.5) for hour in range(-20, 60)]
    row, stays = expected(known, [*hourly(), *others], MANY - 1)
    assert (story.profile()[:-2], story.stands()) == (row, stays)


def test_a_deletion_takes_away_what_was_left_behind(known: Rules) -> None:
    story = Settled(known)
    story.told(*(message(event(name, hour), -1, DELETED) for name, hour in hourly() if hour <= 280))
    row, stays = expected(known, [(name, hour) for name, hour in hourly() if hour > 280], MANY - 1)
    assert (story.profile()[:-2], story.stands()) == (row, stays)


def test_new_rules_are_asked_about_the_whole_past(known: Rules, tmp_path: Path) -> None:
    story = Settled(known)
    story.moves()
    story.rules = rules(tmp_path, s=VIEWED, early="event('Viewed').within(30 hours).count() >= 30")
    story.told(Message("profiles", "user:u1", REFRESH))
    row, stays = expected(story.rules, hourly(), MANY - 1)
    assert (story.profile()[:-2], story.stands()) == (row, stays)


def test_a_cell_leaves_nothing_behind_that_is_not_worth_it(known: Rules) -> None:
    story = Story(known)
    story.cell.horizon = HORIZON
    story.told(*(message(event(f"m{hour}", hour)) for hour in range(63)))
    assert story.cell.leave_behind(known, START_US + 99 * HOUR) is None
    story.told(message(event("m63", 63)))
    assert story.cell.leave_behind(known, START_US + 30 * HOUR) is None, "less than half has settled"
    assert story.cell.leave_behind(known, START_US + 31 * HOUR) is not None


def test_a_cell_of_the_first_layout_is_read(known: Rules) -> None:
    story = Settled(known, count=100)
    packed = story.cell.pack()
    old = bytes((1,)) + packed[1:]
    assert ProfileCell.unpack("user:u1", old).facts.size("event") == 100


def test_without_a_past_a_new_rule_begins_with_what_is_kept(known: Rules, tmp_path: Path) -> None:
    story = Settled(known)
    story.cell.horizon = Horizon(100 * HOUR, archive=False)
    story.rules = rules(tmp_path, s=VIEWED, loyal=LOYAL, new="event('Viewed').count() >= 1")
    told = Story.told(story, Message("profiles", "user:u1", REFRESH))
    assert story.cell.base_at is not None
    first = (story.cell.base_at - START_US) // HOUR + 1
    assert told[-1:] == [f"entered new +{first}h segment_changed"]
    assert not any(" loyal " in line or " s " in line for line in told), "rules that stay go on as they were"
    assert story.profile()[-4] == MANY, "how many there were is known"


def test_without_a_past_a_deletion_ends_with_what_is_known(known: Rules) -> None:
    story = Settled(known)
    story.cell.horizon = Horizon(100 * HOUR, archive=False)
    gone = [message(event(name, hour), -1, DELETED) for name, hour in hourly()]
    kept = [one for one in gone if one.fact[2] > (story.cell.base_at or 0)]
    Story.told(story, *kept, Message("profiles", "user:u1", ("erased", START_US + MANY * HOUR), 1, 0, DELETED))
    assert story.updates[-1].table == "profiles"
    assert story.updates[-1].withdrawn
    assert json.dumps(story.cell.facts.of("event")) == "[]"

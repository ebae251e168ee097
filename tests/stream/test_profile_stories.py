"""What one profile's cell says, told step by step."""

from __future__ import annotations

import json
from typing import Any

import pytest

from schemas.event import Event
from schemas.tables import PROFILES
from schemas.update import RowUpdate
from tests.strategies.worlds import GRID_US, START_US
from transforms.profiles.cell import ProfileCell
from transforms.profiles.evaluate import Rules
from transforms.profiles.history_cell import REFRESH
from transforms.segments.language import ast
from transforms.segments.language.definitions import load_definitions
from transforms.state.cell import UnknownLayoutError
from transforms.state.facts import DELETED, MERGE, Message, event_fact

HOUR = GRID_US
VIEWED = "event('Viewed').within(4 hours).count() >= 1"
NOT_BOUGHT = "event('Viewed').within(4 hours).count() >= 1 AND event('Bought').count() = 0"


COMPUTED = PROFILES.column_names().index("computed")


def rules(tmp_path: Any, **segments: str) -> Rules:
    folder = tmp_path / "segments"
    folder.mkdir(exist_ok=True)
    for file in folder.iterdir():
        file.unlink()
    for name, rule in segments.items():
        (folder / f"{name}.yaml").write_text(json.dumps({"description": "A segment.", "when": rule}))
    definitions: ast.Definitions = load_definitions(folder).definitions
    return Rules(definitions)


def event(message_id: str, hour: float, name: str = "Viewed") -> Event:
    at = START_US + round(hour * HOUR)
    return Event(message_id, at, "track", name, "u1", None, None, None, None, None, None, None)


def message(found: Event, sign: int = 1, why: str = "event") -> Message:
    return Message("profiles", "user:u1", event_fact(found), sign, 0, why)


class Story:
    """A cell, and what it says in words: `entered s +2h event`."""

    def __init__(self, first: Rules) -> None:
        self.rules = first
        self.cell = ProfileCell("user:u1")
        self.updates: list[RowUpdate] = []

    def told(self, *messages: Message) -> list[str]:
        return self._words(self.cell.handle(self.rules, messages, 1))

    def fires(self) -> list[str]:
        return self._words(self.cell.fire(self.rules, self.cell.due or 0, 1))

    def _words(self, updates: list[RowUpdate]) -> list[str]:
        self.updates += updates
        changes = [update.row for update in updates if update.table == "membership_changes"]
        return [f"{row[4]} {row[2]} {(row[5] - START_US) / HOUR:+g}h {row[6]}" for row in changes]

    def profile(self) -> tuple[Any, ...]:
        return [update.row for update in self.updates if update.table == "profiles"][-1]


def test_an_event_takes_effect_when_it_comes_and_time_when_it_passes(tmp_path: Any) -> None:
    story = Story(rules(tmp_path, s=VIEWED))
    assert story.told(message(event("a", 1))) == ["entered s +1h event"]
    assert story.cell.due == START_US + 5 * HOUR
    assert story.fires() == ["exited s +5h time"]
    assert story.cell.due is None


def test_a_late_event_takes_back_what_it_proves_wrong(tmp_path: Any) -> None:
    story = Story(rules(tmp_path, s=NOT_BOUGHT))
    assert story.told(message(event("b", 6))) == ["entered s +6h event"]
    assert story.told(message(event("a", 5, "Bought"))) == ["retracted s +6h late_event"]


def test_a_stay_whose_end_was_wrong_is_taken_back_and_said_again_under_other_ids(tmp_path: Any) -> None:
    story = Story(rules(tmp_path, s=VIEWED))
    story.told(message(event("a", 1)))
    story.fires()
    said = story.told(message(event("b", 3)))
    assert said == ["retracted s +1h late_event", "entered s +1h late_event"]
    assert story.fires() == ["exited s +7h time"]
    ids = [update.row[0] for update in story.updates if update.table == "membership_changes"]
    assert len(set(ids)) == len(ids)


def test_a_bundle_that_is_played_again_says_the_same_ids(tmp_path: Any) -> None:
    known = rules(tmp_path, s=VIEWED)
    ids = []
    for _ in range(2):
        story = Story(known)
        story.told(message(event("a", 1)))
        packed = story.cell.pack()
        story.cell = ProfileCell.unpack("user:u1", packed)
        story.told(message(event("b", 9)), message(event("c", 0)))
        ids.append([update.row[0] for update in story.updates if update.table == "membership_changes"])
    assert ids[0] == ids[1]


@pytest.mark.parametrize(("why", "cause"), [(MERGE, "merge"), (DELETED, "deleted")])
def test_what_a_link_or_a_deletion_takes_away_is_retracted(tmp_path: Any, why: str, cause: str) -> None:
    story = Story(rules(tmp_path, s=VIEWED))
    story.told(message(event("a", 1)))
    assert story.told(message(event("a", 1), -1, why)) == [f"retracted s +1h {cause}"]
    assert story.updates[-1].table == "profiles"
    assert story.updates[-1].withdrawn


def test_a_profile_that_was_merged_keeps_a_row(tmp_path: Any) -> None:
    story = Story(rules(tmp_path, s=VIEWED))
    story.told(message(event("a", 1)))
    story.told(message(event("a", 1), -1, MERGE), Message("profiles", "user:u1", ("merged", "user:u2"), 1, 0, MERGE))
    assert story.profile()[-4:-2] == (0, "user:u2")


def test_new_rules_put_out_old_members_and_take_in_new_ones(tmp_path: Any) -> None:
    story = Story(rules(tmp_path, s=VIEWED))
    story.told(message(event("a", 1)), message(event("b", 2, "Bought")))
    story.rules = rules(tmp_path, s="event('Viewed').count() >= 2", t="event('Bought').count() >= 1")
    said = story.told(Message("profiles", "user:u1", REFRESH))
    assert said == ["retracted s +1h segment_changed", "entered t +2h segment_changed"]
    assert story.told(Message("profiles", "user:u1", REFRESH)) == [], "nothing is new"


def test_a_computed_trait_changes_when_its_window_passes(tmp_path: Any) -> None:
    traits = tmp_path / "traits"
    traits.mkdir()
    (traits / "views.yaml").write_text(
        json.dumps({"description": "Views.", "value": "event('Viewed').within(4 hours).count()"})
    )
    rules(tmp_path, s="event('Bought').count() >= 1")
    story = Story(Rules(load_definitions(tmp_path / "segments", traits).definitions))
    story.told(message(event("a", 1)))
    assert b'"views":1' in story.profile()[COMPUTED]
    story.fires()
    assert b'"views":0' in story.profile()[COMPUTED]


def test_events_in_order_and_in_disorder_come_to_the_same(tmp_path: Any) -> None:
    known = rules(tmp_path, s=VIEWED, t=NOT_BOUGHT)
    events = [event(f"m{number}", number * 0.7, "Bought" if number == 5 else "Viewed") for number in range(9)]
    stories = []
    for order in (events, list(reversed(events))):
        story = Story(known)
        for one in order:
            story.told(message(one))
        rows = {update.row[1:3]: update for update in story.updates if update.table == "memberships"}
        stories.append(({key: u.row[3:-1] for key, u in rows.items() if not u.withdrawn}, story.profile()[:-2]))
    assert stories[0] == stories[1]


def test_a_cell_of_a_newer_release_is_refused() -> None:
    with pytest.raises(UnknownLayoutError, match="layout 99"):
        ProfileCell.unpack("user:u1", bytes((99,)) + b"anything")

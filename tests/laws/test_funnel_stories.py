"""Cases of funnels that generated ones are unlikely to meet."""

import json
from pathlib import Path

from schemas.event import Event
from tests.laws.agreement import describe, differs
from tests.strategies.cases import Case
from tests.strategies.worlds import GRID_US, START_US
from transforms.segments.language.definitions import load_definitions


def event(message_id: str, hour: float, name: str) -> Event:
    at = START_US + round(hour * GRID_US)
    return Event(message_id, at, "track", name, "u1", None, None, None, at, b'{"x":1}', None, None)


def test_a_parent_that_has_left_the_window_is_not_taken_out_of_the_count_again(tmp_path: Path) -> None:
    child = "event('B').where(property('x') = property(parent: 'x')).within(10 hours).count() >= 1"
    rule = f"event('A').where({child}).within(4 hours).count() >= 1"
    (tmp_path / "s.yaml").write_text(json.dumps({"description": "A segment.", "when": rule}))
    definitions = load_definitions(tmp_path).definitions
    # The child counts until hour 11, seven hours longer than its parent.
    events = (event("a", 0, "A"), event("b", 1, "B"), event("c", 12, "A"), event("d", 12.5, "B"))
    case = Case("user:u1", events, definitions, START_US + 13 * GRID_US)
    assert not differs(case), describe(case)

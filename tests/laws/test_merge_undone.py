"""The story of docs/identity.md: two people merged by mistake, a week of events, the retract."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from tests.laws.memory import SOURCE, World, parser
from tests.stream.simulation import NO_HORIZON, Simulation, differences, expected
from transforms.segments.language import ast
from transforms.whole import parse_lines, tables_of

DAY_US = 86_400_000_000
START_US = 1_798_761_600_000_000  # 2027-01-01T00:00:00Z
BUYERS = ast.SegmentDefinition(
    name="buyers",
    description="Have ordered.",
    when=ast.Compare("at_least", ast.Reduced(ast.Stream("track", "Order Completed", ()), "count"), (ast.Literal(1),)),
    version="1",
)


def line(day: int, message_id: str, kind: str, **fields: str) -> bytes:
    said = {"messageId": message_id, "type": kind, "timestamp": f"2027-01-{day:02}T00:00:00Z"}
    return orjson.dumps(said | fields)


ORDER = line(1, "o1", "track", event="Order Completed", userId="ann")
WEEK = [
    line(2, "x", "alias", previousId="bob", userId="ann"),
    line(3, "v", "track", event="Product Viewed", userId="bob"),
    line(9, "o2", "track", event="Order Completed", userId="bob"),
]
RETRACT = line(9, "r", "retract", retracts="x")


def told(*lines: bytes) -> tuple[dict[str, Any], list[tuple[str, int]]]:
    """The number of events (or whom it was merged into) of each profile; who is a buyer since which day."""
    tables = tables_of(parse_lines(lines, parser(), SOURCE).records, ast.Definitions((BUYERS,), ()))
    profiles = {row[0]: row[-3] or row[-4] for row in tables["profiles"]}
    return profiles, [(row[0], 1 + (row[2] - START_US) // DAY_US) for row in tables["memberships"]]


def test_before_the_alias() -> None:
    assert told(ORDER) == ({"user:ann": 1}, [("user:ann", 1)])


def test_between_the_two_are_one() -> None:
    assert told(ORDER, *WEEK) == ({"user:ann": 4, "user:bob": "user:ann"}, [("user:ann", 1)])


def test_after_the_retract_each_has_been_who_they_are_all_along() -> None:
    found = {"user:ann": 1, "user:bob": 2}, [("user:ann", 1), ("user:bob", 9)]
    assert told(ORDER, *WEEK, RETRACT) == found
    assert told(RETRACT, *reversed(WEEK), ORDER) == found


@pytest.mark.parametrize("seed", range(20))
def test_a_stream_ends_there_in_any_order(seed: int) -> None:
    world = World((ORDER, *WEEK, RETRACT), ast.Definitions((BUYERS,), ()), START_US + 9 * DAY_US, 0, 100)
    simulation = Simulation(world, world.definitions, seed, NO_HORIZON)
    assert not differences(expected(world), simulation.run())


def test_what_it_changes_is_told_with_the_cause_retraction() -> None:
    causes: set[str] = set()
    world = World((ORDER, *WEEK, RETRACT), ast.Definitions((BUYERS,), ()), START_US + 9 * DAY_US, 0, 100)
    for seed in range(20):
        simulation = Simulation(world, world.definitions, seed, NO_HORIZON)
        simulation.run()
        rows = [u.row for u in simulation.written.newest.values() if u.table == "membership_changes"]
        causes |= {row[6] for row in rows}
    assert "retraction" in causes

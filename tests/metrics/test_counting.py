"""What a parser has counted by name goes to the job's counters by name only where it may."""

import pickle
from collections.abc import Iterator

import orjson
import pytest

from schemas.tracking_plan import load_tracking_plan
from transforms.counting import begin_counting, count_parsed, counted_here
from transforms.parse import EventParser


@pytest.fixture(autouse=True)
def _counts_of_its_own() -> Iterator[None]:
    begin_counting()
    yield
    begin_counting()


def counted(*, tells_names: bool) -> dict[str, int]:
    parser = EventParser(load_tracking_plan(None), violations="drop", tells_names=tells_names)
    parser = pickle.loads(pickle.dumps(parser))  # noqa: S301 - as a worker gets it
    for number, (name, properties) in enumerate(
        [("ada@example.com", {}), ("Product Viewed", {"price": {"ada": 1}})] * 2
    ):
        wire = {"messageId": f"m{number}", "type": "track", "event": name, "userId": "u", "properties": properties}
        parser.parse(orjson.dumps(wire | {"timestamp": "2026-01-05T01:00:00Z"}), "x")
    count_parsed(parser)
    count_parsed(parser)
    return dict(counted_here().counters)


def test_on_the_own_machine_names_are_told() -> None:
    assert counted(tells_names=True) == {
        "unplanned:ada@example.com": 2,
        "dropped:Product Viewed: price": 2,
    }


def test_elsewhere_only_those_of_the_plan() -> None:
    assert counted(tells_names=False) == {"unplanned:other": 2, "dropped:Product Viewed": 2}

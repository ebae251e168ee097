"""How long events must be kept for a rule, and whether its state is bounded."""

import pytest

from transforms.segments.language import ast
from transforms.segments.language.cost import describe_cost
from transforms.segments.language.literals import UNITS
from transforms.segments.language.parser import parse_condition, parse_scalar

DAY = UNITS["day"]


@pytest.mark.parametrize(
    ("text", "retention", "bounded"),
    [
        ("event('A').within(7 days).count() >= 1", 7 * DAY, True),
        ("event('A').between(7 days, 9 days).count() >= 1", 9 * DAY, True),
        ("event('A').within(7 days).within(3 days).count() >= 1", 3 * DAY, True),
        ("event('A').within(7 days).count() >= 1 OR event('B').within(30 days).count() = 0", 30 * DAY, True),
        ("event('A').count() >= 1", 0, True),
        ("event('A').where(property('x') = 1).sum(property('y')) > 9", 0, True),
        ("event('A').last_at().within_last(7 days)", 0, True),
        ("trait('x') = 1", 0, True),
        ("trait('x').equals(1).held_for(7 days)", 0, True),
        ("event('A').unique(property('x')).count() > 3", 0, False),
        ("event('A').mode(property('x')) = 'y'", 0, False),
        ("event('A').where(property('x') > trait('y')).count() >= 1", None, False),
        ("event('A').where(property('x').within_last(7 days)).count() >= 1", None, False),
        ("event('A').where(event('B').within(parent: 1 day).count() = 0).count() >= 1", None, False),
        ("event('A').where(event('B').within(parent: 1 day).count() = 0).within(7 days).count() >= 1", 7 * DAY, True),
        ("event('A').where(event('B').count() = 0).within(7 days).count() >= 1", 7 * DAY, True),
        (
            "event('A').where(event('B').where(property('x') = property(parent: 'x')).count() = 0)"
            ".within(7 days).count() >= 1",
            None,
            False,
        ),
    ],
)
def test_what_an_event_must_be_kept_for(text: str, retention: int | None, bounded: bool) -> None:
    cost = describe_cost(ast.SegmentDefinition("s", "", parse_condition(text)))
    assert (cost.retention_us, cost.bounded) == (retention, bounded)


def test_the_text_says_what_decides() -> None:
    cost = describe_cost(ast.TraitDefinition("t", "", parse_scalar("event('A').within(90 days).count()")))
    assert cost.text == "keeps 'A' events for 90 days"
    cost = describe_cost(ast.SegmentDefinition("s", "", None, frozenset({"u_1", "u_2"})))
    assert cost.text == "keeps no events: a list of 2 users"

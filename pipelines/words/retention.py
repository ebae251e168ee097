"""What a stream keeps, and for how long: said once, when the job starts."""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.options.profiles import ProfilesOptions
from transforms.segments.language import ast
from transforms.segments.language.cost import RuleCost, describe_cost
from transforms.segments.language.literals import format_duration


def retention_lines(options: ProfilesOptions) -> Iterator[str]:
    """The horizon, and a line for each rule."""
    age = format_duration(options.stream.allowed_lateness_us + options.stitch_window_us)
    later = "go to the archive of the state" if options.stream.archive else "are dropped"
    yield f"State keeps events for {age} (--allowed_lateness and --stitch_window); older ones {later}. Beyond that:"
    definitions: list[ast.SegmentDefinition | ast.TraitDefinition] = [
        *options.definitions.segments,
        *options.definitions.traits,
    ]
    width = max((len(definition.name) for definition in definitions), default=0)
    for definition in definitions:
        yield f"  {definition.name:<{width}}  {_in_words(describe_cost(definition))}"


def _in_words(cost: RuleCost) -> str:
    return f"{cost.text} ({'bounded' if cost.bounded else 'grows with the profile'})"

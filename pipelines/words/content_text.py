"""Who sees which branch of a block, as lines of text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from transforms.content.block import Body, choices_of
from transforms.segments.language.errors import SourceFile

_LONGEST = 60


@dataclass(frozen=True, slots=True)
class SeenBranch:
    """One branch of a choice: its line in the template, how it begins, and how many people it is shown to."""

    line: int
    text: str
    people: int


def seen_branches(body: Body, source: SourceFile, seen: Mapping[tuple[int, int], int]) -> list[SeenBranch]:
    """Every branch in the order of the template; a choice without `else` has one for those who see nothing of it."""
    found = []
    for choice in choices_of(body):
        for number, place in enumerate(choice.places):
            text = source.text[place:].split("%}", 1)[0].strip().removeprefix("{%").strip("- \n")
            found.append(SeenBranch(source.position(place).line, " ".join(text.split()), seen[choice.at, number]))
        rest = "else" if choice.otherwise else "(none of these)"
        line = source.position(choice.at).line
        found.append(SeenBranch(line, rest, seen[choice.at, len(choice.branches)]))
    return found


def branch_lines(branches: list[SeenBranch], people: int) -> list[str]:
    """A table for a person."""
    if not branches:
        return [f"{people:,} people see the same text: the block has no branches."]
    lines = [f"Of {people:,} people", f"{'line':>6}  {'people':>10}  branch"]
    for one in branches:
        text = one.text if len(one.text) <= _LONGEST else one.text[: _LONGEST - 3] + "..."
        lines.append(f"{one.line:>6}  {one.people:>10,}  {text}")
    return lines

"""What is wrong with a definition, said so that the person who wrote it can mend it.

`schemas/errors.py` has `DefinitionErrors`, raised once with every problem of every file, and `Problem`. Here: the text
that positions refer to (`SourceFile`), and where a rule's text stands in it (`Origin`).
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from schemas.errors import DefinitionErrors, Position, Problem, nearest

_Part = TypeVar("_Part")


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file's name, as it is shown to the user, and its text, its lines ended by newlines alone."""

    name: str
    text: str
    _line_starts: tuple[int, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        starts = [0, *(index + 1 for index, character in enumerate(self.text) if character == "\n")]
        object.__setattr__(self, "_line_starts", tuple(starts))

    def position(self, index: int) -> Position:
        """Line and column, from 1, of the character at `index`."""
        line = bisect.bisect_right(self._line_starts, index)
        return Position(line, index - self._line_starts[line - 1] + 1)

    def problem(self, position: Position, message: str, expected: str = "", suggestion: str = "") -> Problem:
        """A problem at `position`, with the line it stands in."""
        start = self._line_starts[position.line - 1] if position.line <= len(self._line_starts) else len(self.text)
        line = self.text[start:].split("\n", 1)[0]
        return Problem(self.name, position, message, line, expected, suggestion)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a rule's text comes from. `indexes[i]` is the place of its i-th character in the source file."""

    source: SourceFile
    indexes: Sequence[int]

    @classmethod
    def of_text(cls, text: str, name: str = "<rule>") -> Origin:
        """The origin of a rule that is its own file."""
        return cls(SourceFile(name, text), range(len(text)))

    def position(self, offset: int) -> Position:
        """The place in the file of the character at `offset` in the text; the end of the text is allowed."""
        if offset < len(self.indexes):
            return self.source.position(self.indexes[offset])
        return self.source.position(self.indexes[-1] + 1 if self.indexes else 0)


def closest(word: str, names: Iterable[str]) -> str:
    """The name that `word` was probably meant to be, in quotes, or "" when none is near."""
    near = nearest(word, names)
    return f"'{near}'" if near else ""


def gather(parts: Iterable[Callable[[], _Part]]) -> list[_Part]:
    """The results of all parts, each of which is tried, whatever is wrong with the others.

    Raises:
        DefinitionErrors: the problems of all parts.
    """
    results: list[_Part] = []
    problems: list[Problem] = []
    for part in parts:
        try:
            results.append(part())
        except DefinitionErrors as errors:
            problems.extend(errors.problems)
    if problems:
        raise DefinitionErrors(problems)
    return results

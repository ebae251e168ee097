"""What a person can mend: wrong arguments, inputs, outputs, definitions, schema files. One tree.

    TidemarkError (a ValueError)  the text is for the person who gave the command
    ├── UsageError                an argument is wrong, or a service that is named there cannot be used
    ├── InputError                an `--input` cannot be read
    ├── OutputError               an `--output` cannot be written, or not be read back
    ├── DefinitionErrors          segments, computed traits: every problem of every file
    └── SchemaErrors              schema files: every problem of every file

A command ends with exit status 2 for any of them while it has begun nothing. The text says what was given, where, and
what was expected; it holds no personal data. Faults of our own, and what a service does later, are other exceptions.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from schemas.text import printable


class TidemarkError(ValueError):
    """The text is for the person who gave the command."""

    def __str__(self) -> str:
        """Safe to be printed: it may quote names and lines of files that somebody else wrote."""
        return printable(super().__str__())


class UsageError(TidemarkError):
    """An argument is wrong."""


class InputError(TidemarkError):
    """An `--input` that cannot be read. The text says what was given and what was expected."""


class OutputError(TidemarkError):
    """An output that cannot be used, and what was expected."""


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a file; line and column count from 1. A column of 0: only the line is known."""

    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.line}:{self.column}" if self.column else str(self.line)


@dataclass(frozen=True, slots=True)
class Problem:
    """One error (or warning) at one place of a file; `position` is None where only the file is known."""

    file: str
    position: Position | None
    message: str
    source_line: str = ""
    expected: str = ""
    suggestion: str = ""

    def headline(self) -> str:
        """`file:line:column: message`, on one line."""
        place = self.file if self.position is None else f"{self.file}:{self.position}"
        return printable(f"{place}: {self.message}")

    def one_line(self) -> str:
        """The headline with the suggestion, for warnings."""
        return self.headline() + (f" (did you mean {self.suggestion}?)" if self.suggestion else "")

    def __str__(self) -> str:
        parts = [self.headline()]
        if self.source_line.strip():
            # Tabs stay tabs, so that the caret stands below its character whatever a tab's width is.
            column = 1 if self.position is None else self.position.column
            before = self.source_line[: column - 1].ljust(column - 1)
            parts += [
                "    " + printable(self.source_line),
                "    " + "".join("\t" if c == "\t" else " " for c in before) + "^",
            ]
        if self.expected:
            parts.append(f"    expected {self.expected}")
        if self.suggestion:
            parts.append(f"    did you mean {self.suggestion}?")
        return "\n".join(parts)


class _ManyProblemsError(TidemarkError):
    """Everything that is wrong with a set of files."""

    _between = "\n"

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(self._between.join(map(str, self.problems)))

    def __reduce__(self) -> tuple[type[Self], tuple[tuple[Problem, ...]]]:
        return type(self), (self.problems,)


class SchemaErrors(_ManyProblemsError):  # noqa: N818 - it holds many
    """The schema files cannot be used. `problems` holds everything that is wrong with all of them."""


class DefinitionErrors(_ManyProblemsError):  # noqa: N818 - it holds many
    """Everything that is wrong with a set of definitions, in the order of files and lines."""

    _between = "\n\n"

    def __init__(self, problems: Iterable[Problem]) -> None:
        super().__init__(sorted(dict.fromkeys(problems), key=_place))


def _place(problem: Problem) -> tuple[str, int, int]:
    position = problem.position
    return (problem.file, 0, 0) if position is None else (problem.file, position.line, position.column)


def nearest(word: str, names: Iterable[str]) -> str:
    """The name that `word` was probably meant to be, or "" when none is near. Case counts least."""
    by_lower = {name.lower(): name for name in sorted(names, reverse=True)}
    found = difflib.get_close_matches(word.lower(), list(by_lower), n=1, cutoff=0.6)
    return by_lower[found[0]] if found else ""


def did_you_mean(given: str, choices: Iterable[str]) -> str:
    """`. Did you mean 'x'?` with the nearest choice, or nothing where none is near."""
    near = nearest(given, choices)
    return f". Did you mean {near!r}?" if near else ""

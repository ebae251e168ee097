"""What kinds of functions and of values the language has."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Literal


class Type(Enum):
    """What a value is known to be before any event; the member's value is how errors call it."""

    NUMBER = "a number"
    TEXT = "text"
    BOOLEAN = "true or false"
    INSTANT = "a date"
    LIST = "a list"
    DURATION = "a duration"
    UNKNOWN = "a value"


@dataclass(frozen=True, slots=True)
class Function:
    """A function as it is written. `usage` is shown in errors."""

    name: str
    usage: str


@dataclass(frozen=True, slots=True)
class Extractor(Function):
    """Starts an expression. `nameless`: it may be written without an argument; `named`: with one."""

    nameless: bool = False
    named: bool = True


@dataclass(frozen=True, slots=True)
class Filter(Function):
    """Keeps some events of a stream."""


@dataclass(frozen=True, slots=True)
class Comparator(Function):
    """Makes a value true or false. `symbol` is its short form. `many`: any number of arguments, else exactly one.

    `meaning` says what its sides must be: any values, numbers (or dates, or numeric text) for an ordering, text,
    two dates, a date and a duration, or nothing but the left side.
    """

    meaning: Literal["equality", "ordering", "text", "date", "relative_date", "presence"]
    symbol: str = ""
    many: bool = False


@dataclass(frozen=True, slots=True)
class Modifier(Function):
    """Follows a comparison."""

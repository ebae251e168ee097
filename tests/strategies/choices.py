"""One way to choose for both generators: a seeded one, which is fast, and Hypothesis, which shrinks."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from hypothesis import strategies as st

T = TypeVar("T")


@dataclass(frozen=True)
class Choices:
    """A source of small whole numbers: `number(low, high)`, both included. Low is the simplest."""

    number: Callable[[int, int], int]

    def pick(self, options: Sequence[T]) -> T:
        """One of several, the first being the simplest."""
        return options[self.number(0, len(options) - 1)]

    def chance(self, percent: int) -> bool:
        """True in so many cases of 100."""
        return self.number(0, 99) >= 100 - percent

    def several(self, options: Sequence[T], low: int, high: int) -> list[T]:
        """So many options, each drawn anew."""
        return [self.pick(options) for _ in range(self.number(low, high))]


def seeded(seed: int) -> Choices:
    """Choices that a seed decides."""
    return Choices(random.Random(seed).randint)  # noqa: S311 - test data, no secret


def drawn(draw: Callable[[st.SearchStrategy[int]], int]) -> Choices:
    """Choices that Hypothesis makes, and makes smaller when a test fails."""
    return Choices(lambda low, high: draw(st.integers(low, high)))

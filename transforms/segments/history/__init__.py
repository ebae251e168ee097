"""The batch's evaluator: all profiles of a bucket at once, on sorted columns (docs/evaluator.md).

program = compile_history(definitions)
evaluated = evaluate(program, histories, as_of)

It says what `replay` says of each profile.
"""

from __future__ import annotations

from functools import lru_cache

from transforms.segments.compiler import compile_program
from transforms.segments.history.histories import CAUSES as CAUSES
from transforms.segments.history.histories import NO_INSTANT as NO_INSTANT
from transforms.segments.history.histories import Evaluated as Evaluated
from transforms.segments.history.histories import Histories as Histories
from transforms.segments.history.histories import Ragged as Ragged
from transforms.segments.history.stepwise import evaluate_stepwise
from transforms.segments.language import ast


class HistoryProgram:
    """Compiled definitions of people (`of: users`); pickled, it is the definitions."""

    def __init__(self, definitions: ast.Definitions) -> None:
        self.definitions = definitions.about("users")

    def __reduce__(self) -> tuple[object, tuple[ast.Definitions]]:
        return compile_history, (self.definitions,)


@lru_cache(maxsize=4)
def compile_history(definitions: ast.Definitions) -> HistoryProgram:
    """Compiles checked definitions; a process does it once for a set."""
    return HistoryProgram(definitions)


def evaluate(program: HistoryProgram, histories: Histories, as_of: int) -> Evaluated:
    """What all profiles come to at `as_of`."""
    return evaluate_stepwise(compile_program(program.definitions), histories, as_of)

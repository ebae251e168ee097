"""The batch's evaluator: all profiles of a bucket at once, on sorted columns (docs/evaluator.md).

program = compile_history(definitions)
evaluated = evaluate(program, histories, as_of)

It says what `replay` says of each profile.
"""

from __future__ import annotations

from transforms.segments.history.compile import HistoryProgram as HistoryProgram
from transforms.segments.history.compile import compile_history as compile_history
from transforms.segments.history.evaluate import evaluate as evaluate
from transforms.segments.history.gathered import histories_of as histories_of
from transforms.segments.history.histories import CAUSES as CAUSES
from transforms.segments.history.histories import NO_INSTANT as NO_INSTANT
from transforms.segments.history.histories import Evaluated as Evaluated
from transforms.segments.history.histories import Flags as Flags
from transforms.segments.history.histories import Histories as Histories
from transforms.segments.history.histories import Integers as Integers
from transforms.segments.history.histories import Ragged as Ragged
from transforms.segments.history.united import StayColumns as StayColumns
from transforms.segments.history.united import stays_where as stays_where
from transforms.segments.history.world import rows_by_pair as rows_by_pair

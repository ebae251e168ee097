"""Stage `retractions`: one retract, and whether what it names was there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from schemas.failure_reasons import NOT_RETRACTABLE
from schemas.tables import FAILED_EVENTS, RETRACTIONS
from transforms import counting
from transforms.deduplicate.copies import tell_retractions
from transforms.failed_events import failure_row
from transforms.state.cell import FactCell, Output, RowChanges
from transforms.state.facts import Fact, Message

_ROWS = RowChanges(RETRACTIONS.name, 1)
_FAILURES = RowChanges(FAILED_EVENTS.name, 1)
_Rows = dict[tuple[object, ...], Fact]


class RetractionCell(FactCell):
    """Facts: ("retract", record...), ("found", id) and ("final", id) of the events that retracts of this id name."""

    def handle(self, messages: Sequence[Message]) -> list[Output]:
        rows, failures = self._rows()
        self.take(messages)
        rows_now, failures_now = self._rows()
        self.counter += (rows, failures) != (rows_now, failures_now)
        change = Counter({counting.RETRACTED: len(rows_now), counting.FAILED + NOT_RETRACTABLE: len(failures_now)})
        change.subtract({counting.RETRACTED: len(rows), counting.FAILED + NOT_RETRACTABLE: len(failures)})
        self.counted.update(change)
        told = _ROWS.updates(rows, rows_now, self.counter)
        return [*told, *_FAILURES.updates(failures, failures_now, self.counter)]

    def _rows(self) -> tuple[_Rows, _Rows]:
        """Rows of `retractions` and of `failed_events`, by key."""
        retracted = {fact[1]: True for fact in self.facts.of("found")}
        retracted |= {fact[1]: False for fact in self.facts.of("final")}
        told = tell_retractions([fact[1:] for fact in self.facts.of("retract")], retracted)
        failures = map(failure_row, told.failures)
        return {row[:1]: row for row in told.rows}, {row[:1]: row for row in failures}

"""Stage `retractions`: one retract, and whether what it names was there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from schemas.event import Failure
from schemas.failure_reasons import NOT_RETRACTABLE
from schemas.tables import RETRACTIONS
from transforms import counting
from transforms.deduplicate.copies import tell_retractions
from transforms.state.cell import FactCell, Output, RowChanges, Target, difference
from transforms.state.facts import Fact, Message
from transforms.stream.stages import failure_targets

_ROWS = RowChanges(RETRACTIONS.name, 1)
_Rows = dict[tuple[object, ...], Fact]


class RetractionCell(FactCell):
    """Facts: ("retract", record...), ("found", id) and ("final", id) of the events that retracts of this id name."""

    def handle(self, messages: Sequence[Message]) -> list[Output]:
        rows, failures = self._told()
        self.take(messages)
        rows_now, failures_now = self._told()
        self.counter += rows != rows_now
        change = Counter({counting.RETRACTED: len(rows_now), counting.FAILED + NOT_RETRACTABLE: len(failures_now)})
        change.subtract({counting.RETRACTED: len(rows), counting.FAILED + NOT_RETRACTABLE: len(failures)})
        self.counted.update(change)
        return [*_ROWS.updates(rows, rows_now, self.counter), *difference(_targets(failures), _targets(failures_now))]

    def _told(self) -> tuple[_Rows, list[Failure]]:
        """Rows of `retractions` by key, and failures."""
        retracted = {fact[1]: True for fact in self.facts.of("found")}
        retracted |= {fact[1]: False for fact in self.facts.of("final")}
        told = tell_retractions([fact[1:] for fact in self.facts.of("retract")], retracted)
        return {row[:1]: row for row in told.rows}, told.failures


def _targets(failures: Iterable[Failure]) -> Counter[Target]:
    return Counter(target for failure in failures for target in failure_targets(failure))

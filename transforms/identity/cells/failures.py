"""Stage `failures`: one failure, and whether somebody whom its record names is erased. It writes the row.

Whoever comes first, the record or the deletion: the row is what both together come to. Once the deletion has settled
the bytes are gone for good.
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from schemas.event import Failure
from schemas.tables import FAILED_EVENTS
from transforms.failed_events import emptied, failure_row
from transforms.state.cell import FactCell, Output, RowChanges
from transforms.state.facts import Fact, Message
from transforms.state.horizon import Horizon
from transforms.stream.stages import FAILED

_ROWS = RowChanges(FAILED_EVENTS.name, 1)
_SOURCE = FAILED_EVENTS.column_names().index("source")
_ERRORS, _RAW, _ATTRIBUTES = (1 + Failure._fields.index(name) for name in ("errors", "raw", "attributes"))
_EMPTY = {_ERRORS: b"[]", _RAW: b"", _ATTRIBUTES: b"{}"}


class FailureCell(FactCell):
    """Facts: ("failed", a failure's fields) per source that it came from, without bytes once they are gone for good.

    And ("erased", instant of the deletion) per id in it that is erased.
    """

    horizon: Horizon | None = None
    has_forgotten = False
    """Whether `leave_behind` has just let something go."""

    def handle(self, messages: Sequence[Message]) -> list[Output]:
        before = self._rows()
        self.take(messages)
        after = self._rows()
        self.counter += before != after
        self._set_due()
        return [*_ROWS.updates(before, after, self.counter)]

    def _rows(self) -> dict[tuple[object, ...], Fact]:
        rows = [(self.key, *failure_row(_failure(fact))[1:]) for fact in self.facts.of(FAILED)]
        if not rows:
            return {}
        row = min(rows, key=lambda one: one[_SOURCE])
        return {row[:1]: emptied(row) if self.facts.of("erased") else row}

    # --- what has settled (as of owners.py) ---------------------------------------------------------------------------

    def left_behind(self) -> None:
        """Nothing is: a failure stays as it is."""

    def needs_past(self, messages: Sequence[Message]) -> bool:
        return False

    def will_forget(self) -> bool:
        """It wants to be woken for nothing else."""
        return True

    def leave_behind(self, until: int) -> None:
        """Lets the bytes go, where a deletion at or before `until` has erased them."""
        self.has_forgotten = any(instant <= until for instant in self._erased_at())
        for fact in self.facts.of(FAILED) if self.has_forgotten else ():
            if fact[_RAW]:
                placed = tuple(_EMPTY.get(place, value) for place, value in enumerate(fact))
                self.facts.take(placed, self.facts.count(fact))
                self.facts.forget(fact)
        self._set_due()

    def _erased_at(self) -> list[int]:
        return [fact[1] for fact in self.facts.of("erased")]

    def _set_due(self) -> None:
        """When the first of the deletions will have settled."""
        self.due = None
        if self.horizon is not None and self.horizon.forgets and any(fact[_RAW] for fact in self.facts.of(FAILED)):
            instants = self._erased_at()
            self.due = self.horizon.due(self.key, min(instants)) if instants else None


def _failure(fact: Fact) -> Failure:
    _, reason, errors, stage, message_id, raw, attributes, source, received_at = fact
    return Failure(reason, orjson.loads(errors), stage, message_id, raw, orjson.loads(attributes), source, received_at)

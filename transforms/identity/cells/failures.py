"""Stage `failures`: one failure, and whether somebody whom its record names is erased. It writes the row.

Whoever comes first, the record or the deletion: the row is what both together come to.
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from schemas.event import Failure
from schemas.tables import FAILED_EVENTS
from transforms.failed_events import emptied, failure_row
from transforms.state.cell import FactCell, Output, RowChanges
from transforms.state.facts import Fact, Message
from transforms.stream.stages import FAILED

_ROWS = RowChanges(FAILED_EVENTS.name, 1)
_SOURCE = FAILED_EVENTS.column_names().index("source")


class FailureCell(FactCell):
    """Facts: ("failed", a failure's fields) per source that it came from, ("erased",) per id in it that is erased."""

    def handle(self, messages: Sequence[Message]) -> list[Output]:
        before = self._rows()
        self.take(messages)
        after = self._rows()
        self.counter += before != after
        return [*_ROWS.updates(before, after, self.counter)]

    def _rows(self) -> dict[tuple[object, ...], Fact]:
        rows = [failure_row(_failure(fact)) for fact in self.facts.of(FAILED)]
        if not rows:
            return {}
        row = min(rows, key=lambda one: one[_SOURCE])
        return {row[:1]: emptied(row) if self.facts.of("erased") else row}


def _failure(fact: Fact) -> Failure:
    _, reason, errors, stage, message_id, raw, attributes, source, received_at = fact
    return Failure(reason, orjson.loads(errors), stage, message_id, raw, orjson.loads(attributes), source, received_at)

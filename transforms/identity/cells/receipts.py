"""Stage `receipts`: what a deletion erased, in numbers."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.tables import DELETIONS
from transforms.identity.receipts import COUNTED, receipt_row
from transforms.state.cell import FactCell, Output, RowChanges
from transforms.state.facts import Fact, Message

_ROWS = RowChanges(DELETIONS.name, 1)


class ReceiptCell(FactCell):
    """Facts: ("request", timestamp, user), ("erased", table) with the number of rows as its count."""

    def handle(self, messages: Sequence[Message]) -> list[Output]:
        before = self._rows()
        self.take(messages)
        after = self._rows()
        self.counter += before != after
        return [*_ROWS.updates(before, after, self.counter)]

    def _rows(self) -> dict[tuple[object, ...], Fact]:
        counts = {table: max(0, self.facts.count(("erased", table))) for table in COUNTED}
        for _, timestamp, user_id in self.facts.of("request"):
            row = receipt_row(self.key, timestamp, user_id, counts, timestamp)
            return {row[:1]: row}
        return {}

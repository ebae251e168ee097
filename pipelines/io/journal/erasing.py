"""When what was erased may leave the journal: what is gone can be counted by no later run. Pure.

An erased event and the count of its receipt come on different ways, one before the other. The journal forgets messages
only at a moment at which the receipts have counted exactly those that are gone; what they counted is written down in
the same transaction (journal.py). So a kill at any point leaves each erased event either in the journal or in the
counts. Should the numbers never meet, the messages leave all the same: whoever is erased is erased.
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from pipelines.io.journal.journal import ErasedFailure
from schemas.tables import DELETIONS, EVENTS, FAILED_EVENTS
from schemas.update import RowUpdate
from transforms.failed_events import MESSAGE_ID, REASON, is_emptied

PATIENCE = 30
"""How often the output is published before messages leave the journal whatever the receipts say: about a minute."""
_MESSAGE_ID = EVENTS.column_names().index("message_id")
_COUNTS = DELETIONS.column_names().index("counts")


class Erasing:
    """What this run has heard of erasures.

    Attributes:
        waiting: ids of events that were withdrawn, and whose messages may still be in the journal.
        failed: the same of failures that have lost their bytes; no receipt counts them.
    """

    def __init__(self) -> None:
        self.waiting: set[str] = set()
        self.failed: set[ErasedFailure] = set()
        self._counted: dict[str, tuple[int, int]] = {}
        self._done = 0
        self._asked = 0

    def note(self, update: RowUpdate) -> None:
        """Takes an update as the run told it, before anything of an earlier run is added."""
        if update.table == EVENTS.name and update.withdrawn:
            self.waiting.add(update.row[_MESSAGE_ID])
        elif update.table == DELETIONS.name and not update.withdrawn:
            version, _ = self._counted.get(update.row[0], (-1, 0))
            if update.version > version:
                self._counted[update.row[0]] = (update.version, orjson.loads(update.row[_COUNTS]).get(EVENTS.name, 0))

        elif update.table == FAILED_EVENTS.name:
            failure = ErasedFailure(update.row[0], update.row[REASON], update.row[MESSAGE_ID])
            if is_emptied(update.row) and not update.withdrawn:
                self.failed.add(failure)
            else:
                self.failed.discard(failure)

    def is_counted(self, gone: Sequence[str]) -> bool:
        """Whether the messages of these events may leave: they are in the receipts, and nothing else is."""
        self._asked += 1
        counted = sum(count for _, count in self._counted.values())
        return counted == self._done + len(gone) or self._asked > PATIENCE

    def done(self, gone: Sequence[str]) -> None:
        """They have left."""
        self._done += len(gone)
        self.waiting = set()
        self._asked = 0

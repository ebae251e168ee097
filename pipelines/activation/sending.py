"""Carries a plan out: the intent is in the ledger before a request is sent, and what came of it after.

| killed | the ledger says | the next run |
| --- | --- | --- |
| before the intent is written | what it said before | decides the same again |
| after that, whatever the request did | pending | asks again, or takes out what is no longer wanted |
| after the answer is written | acknowledged | sends nothing |
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from pipelines.activation.planning import Work
from pipelines.io.destinations.base import Connection
from pipelines.io.destinations.client import Stop
from pipelines.io.ledger import Ledger, Row
from schemas.ledger import ACTIVATIONS, DESTINATION_RECORDS, SUPPRESSIONS
from schemas.tables import Table
from transforms.activation.rows import (
    ACKNOWLEDGED,
    PENDING,
    REFUSED,
    SUPPRESSED,
    Activation,
    Change,
    Key,
    Outcome,
    Record,
)
from transforms.activation.suppression import BOUNCED, COMPLAINED, ERASED, UNSUBSCRIBED

BATCHES_AT_ONCE = 10
"""Intents are written for so many batches at a time."""

_NO = {UNSUBSCRIBED, BOUNCED, COMPLAINED, ERASED}
_RECORD_KEY = slice(0, 2)


@dataclass(slots=True)
class Sent:
    """What a run has sent: changes by kind, outcomes by state, and why it stopped, if it did."""

    changes: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    stopped: str = ""

    @property
    def said_no(self) -> bool:
        """Whether the destination itself has named somebody who must be taken out."""
        return self.outcomes[SUPPRESSED] > 0


@dataclass(frozen=True, slots=True)
class Sender:
    """Sends one destination's plans.

    Attributes:
        ledger: open; this thread's own.
        connection: to the destination.
        now_us: the clock.
        until: when to stop, by `monotonic`; the rest stays for the next run. None: at the end.
        progress: is told how many changes are done.
    """

    ledger: Ledger
    connection: Connection
    now_us: Callable[[], int] = lambda: time.time_ns() // 1_000
    until: float | None = None
    progress: Callable[[int], object] = lambda done: None

    def send(self, work: Work) -> Sent:
        """Carries out one plan, what leaves before what enters."""
        sent = Sent()
        self._write({ACTIVATIONS: work.plan.settled, DESTINATION_RECORDS: work.records})
        open_: set[Key] = set()
        try:
            for changes in (work.plan.erasures, work.plan.removals):
                open_ |= self._send_all(work, changes, sent)
            # Whoever has another identifier now enters with it once the old one has left.
            ready = [one for one in work.plan.additions if not any(row.key in open_ for row in one.rows)]
            self._send_all(work, ready, sent)
        except Stop as stop:
            sent.stopped = str(stop)
        return sent

    def _send_all(self, work: Work, changes: Sequence[Change], sent: Sent) -> set[Key]:
        """Sends changes of one kind; returns the rows that are still open."""
        open_: set[Key] = set()
        size = self.connection.batch_size
        for chunk in _cut(changes, size * BATCHES_AT_ONCE):
            if self.until is not None and time.monotonic() > self.until:
                raise Stop("goes on in the next round")
            self._write_intents(work, chunk)
            batches = list(_cut(chunk, size))
            for number, batch in enumerate(batches):
                try:
                    outcomes = self.connection.send(batch)
                except Stop as stop:
                    left = [change for later in batches[number:] for change in later]
                    self._write_outcomes(work, [Outcome(change, PENDING, str(stop)) for change in left])
                    raise
                self._write_outcomes(work, outcomes)
                open_ |= {row.key for one in outcomes if one.state == PENDING for row in one.change.rows}
                sent.changes[batch[0].kind] += len(batch)
                sent.outcomes.update(outcome.state for outcome in outcomes)
                self.progress(len(batch))
        return open_

    # --- the ledger --------------------------------------------------------------------------------------------------

    def _write_intents(self, work: Work, changes: Sequence[Change]) -> None:
        records = [
            Record(
                work.destination.name,
                change.identifier_hash,
                change.record_id or self.connection.record_id(change.identifier or ""),
                change.profile_id,
                self.now_us(),
            )
            for change in changes
            if change.kind == "add"
        ]
        self._write({DESTINATION_RECORDS: records, ACTIVATIONS: [row for one in changes for row in one.rows]})

    def _write_outcomes(self, work: Work, outcomes: Sequence[Outcome]) -> None:
        name, now = work.destination.name, self.now_us()
        rows: list[Activation] = []
        records: list[Record] = []
        answers: list[Row] = []
        gone_rows: list[Row] = []
        gone_records: list[Row] = []
        for outcome in outcomes:
            change = outcome.change
            if change.kind == "erase" and outcome.state == ACKNOWLEDGED:
                gone_rows += [(row.destination, row.profile_id, row.segment) for row in change.rows]
                gone_records.append((name, change.identifier_hash))
                answers.append((name, change.identifier_hash, ERASED, now))
                continue
            rows += _rows_after(outcome, now)
            if outcome.state == SUPPRESSED:
                answers.append((name, change.identifier_hash, outcome.reason or UNSUBSCRIBED, now))
            if outcome.record_id and change.kind == "add":
                records.append(Record(name, change.identifier_hash, outcome.record_id, change.profile_id, now))
        written: dict[Table, Sequence[Row]] = {SUPPRESSIONS: answers, DESTINATION_RECORDS: records, ACTIVATIONS: rows}
        self._write(written, {ACTIVATIONS: gone_rows, DESTINATION_RECORDS: gone_records})

    def _write(self, rows: dict[Table, Sequence[Row]], gone: dict[Table, Sequence[Row]] | None = None) -> None:
        filled = {table: of_table for table, of_table in rows.items() if of_table}
        removed = {table: keys for table, keys in (gone or {}).items() if keys}
        if filled or removed:
            self.ledger.write(filled, removed)


def _rows_after(outcome: Outcome, now_us: int) -> Iterator[Activation]:
    """The rows of a change as its outcome leaves them."""
    change, state, reason = outcome.change, outcome.state, outcome.reason
    for row in change.rows:
        if state == PENDING or (change.kind != "add" and state in (REFUSED, SUPPRESSED)):
            # An intent keeps its instant and, of somebody who said no, its reason.
            yield row if row.reason in _NO else row._replace(reason=reason)
        elif change.kind == "add" and state == SUPPRESSED:
            # Perhaps there already: then it must be taken out, and is pending until it is.
            new = row.segment in change.segments and row.attempts <= 1
            yield row._replace(
                wanted=False, state=SUPPRESSED if new else PENDING, reason=reason or UNSUBSCRIBED, changed_at=now_us
            )
        elif change.kind == "add":
            yield row._replace(state=state, reason=reason, changed_at=now_us)
        else:
            yield row._replace(state=SUPPRESSED if row.reason in _NO else ACKNOWLEDGED, changed_at=now_us)


def _cut(changes: Sequence[Change], size: int) -> Iterator[Sequence[Change]]:
    for start in range(0, len(changes), size):
        yield changes[start : start + size]

"""Runs destinations side by side: none waits for another, and what fails for one is only its own."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from pipelines.activation.planning import Request, Work, plan_destination
from pipelines.activation.sending import Sender, Sent
from pipelines.activation.tables import open_activation_tables
from pipelines.io.destinations.base import Connection, Surroundings
from pipelines.io.destinations.client import Later
from pipelines.io.destinations.registry import connect
from pipelines.io.ledger import open_ledger
from pipelines.io.outputs import BigQueryOutput, DuckDBOutput, Output
from schemas.ledger import ACTIVATIONS
from transforms.activation.destination import Destination
from transforms.activation.rows import PENDING, REFUSED, Activation

ROUNDS = 2
"""A second round takes out whom the destination itself has named in the first."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one destination.

    Attributes:
        destination: its file.
        work: what was wanted.
        sent: what was sent.
        states: rows of the ledger by segment and state, afterwards.
        refusals: refused rows by reason.
        waits: pending rows by reason.
        trouble: why it is not as wanted, where that is not a matter of single rows.
    """

    destination: Destination
    work: Work | None
    sent: Sent
    states: Counter[tuple[str, str]] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    waits: Counter[str] = field(default_factory=Counter)
    trouble: str = ""

    @property
    def is_as_wanted(self) -> bool:
        """Whether nothing is pending."""
        return not self.trouble and not self.waits


@dataclass(frozen=True, slots=True)
class Place:
    """Where tables and ledger are, and what destinations work in."""

    tables: Output
    ledger: DuckDBOutput | BigQueryOutput
    surroundings: Surroundings = field(default_factory=Surroundings)
    now_us: Callable[[], int] = lambda: time.time_ns() // 1_000


def run_all(
    destinations: Sequence[Destination],
    place: Place,
    request: Request,
    progress: Callable[[int], object] = lambda done: None,
) -> list[Result]:
    """Every destination once.

    Raises:
        LedgerError: the ledger cannot be read or written.
        OutputError: there are no tables.
    """
    with open_ledger(place.ledger):  # makes it, once
        pass
    if len(destinations) == 1:
        return [run_one(destinations[0], place, request, progress)]
    with ThreadPoolExecutor(max_workers=max(len(destinations), 1)) as pool:
        runs = [pool.submit(run_one, one, place, request, progress) for one in destinations]
        return [run.result() for run in runs]


def run_one(
    destination: Destination,
    place: Place,
    request: Request,
    progress: Callable[[int], object] = lambda done: None,
    slice_seconds: float | None = None,
) -> Result:
    """One destination once; with `slice_seconds` what is not sent by then stays for the next time."""
    until = None if slice_seconds is None else time.monotonic() + slice_seconds
    connection = connect(destination, place.surroundings)
    try:
        return _run(destination, place, replace(request, now_us=place.now_us()), connection, until, progress)
    finally:
        connection.close()


def _run(
    destination: Destination,
    place: Place,
    request: Request,
    connection: Connection,
    until: float | None,
    progress: Callable[[int], object],
) -> Result:
    work, sent, trouble = None, Sent(), ""
    with open_activation_tables(place.tables) as tables, open_ledger(place.ledger) as ledger:
        sender = Sender(ledger, connection, place.now_us, until, progress)
        try:
            for _ in range(ROUNDS):
                planned = plan_destination(destination, tables, ledger, connection, request)
                work = work or planned
                if planned.blocked:
                    trouble = planned.blocked
                    break
                now = sender.send(planned)
                sent.changes += now.changes
                sent.outcomes += now.outcomes
                trouble = now.stopped
                if not now.said_no or now.stopped:
                    break
                request = replace(request, reconcile=False)
        except Later as later:
            trouble = str(later)
        rows = [Activation(*row) for row in ledger.read(ACTIVATIONS, destination=destination.name)]
    states: Counter[tuple[str, str]] = Counter(
        (row.segment, row.state) for row in rows if row.wanted or row.state != "acknowledged"
    )
    refusals = Counter(row.reason or "refused" for row in rows if row.state == REFUSED)
    waits = Counter(row.reason or "not yet sent" for row in rows if row.state == PENDING)
    return Result(destination, work, sent, states, refusals, waits, trouble)

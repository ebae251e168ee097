"""F, the law of the README, as a function: events, definitions and an instant in, every table out. Pure.

    F(events, definitions, as_of) -> tables

The bounded job computes the same by the same functions, bucket by bucket; the stream converges to it. Everything is in
memory here: for tests, notebooks, and a reader who wants the whole on one page.

    plan = load_tracking_plan()
    parsed = parse_lines(lines, EventParser(plan), source="events.ndjson")
    tables = tables_of(parsed.records, definitions, failures=parsed.failures)
    tables["memberships"]
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from operator import itemgetter
from typing import NamedTuple

from schemas.event import MESSAGE_ID, PREVIOUS_ID, TIMESTAMP, TYPE, USER_ID, Event, Failure
from schemas.tables import (
    ACCOUNTS,
    DELETIONS,
    EVENTS,
    FAILED_EVENTS,
    IDENTITY_LINKS,
    MEMBERSHIP_CHANGES,
    MEMBERSHIPS,
    PROFILES,
    RETRACTIONS,
    TABLES,
)
from transforms.accounts.history import accounts
from transforms.accounts.rules import AccountRules, compile_accounts
from transforms.deduplicate.copies import RETRACT, deduplicate, record_of, tell_retractions
from transforms.failed_events import failure_row
from transforms.identity.aliases import DEFAULT_MAX_MERGES, refusal
from transforms.identity.devices import links_of_erased, resolve_devices
from transforms.identity.failed import FailedErasure
from transforms.identity.links import DEFAULT_STITCH_WINDOW_US
from transforms.identity.plan import IdentityPlan, merged_profiles, plan_of
from transforms.identity.receipts import receipt_row
from transforms.identity.routes import Routed, route
from transforms.parse import EventParser
from transforms.profiles.gather import gather
from transforms.profiles.history import BY_TIME, build_history
from transforms.profiles.rows import Row, event_row
from transforms.records import Record
from transforms.segments.compiler import compile_program
from transforms.segments.language import ast
from transforms.segments.program import Program

Tables = dict[str, list[Row]]
"""Rows by table, in the column order of schemas/tables.py, sorted by key."""


class Parsed(NamedTuple):
    """What lines came to: records (an event, its bytes and its source), and those that are no event."""

    records: list[Record]
    failures: list[Failure]


def parse_lines(lines: Iterable[bytes], parser: EventParser, source: str) -> Parsed:
    """Messages, one each, parsed."""
    found = Parsed([], [])
    for line in lines:
        parsed = parser.parse(line, source)
        if isinstance(parsed, Event):
            found.records.append(record_of(parsed, line, source, {}))
        else:
            found.failures.append(parsed)
    return found


def tables_of(
    records: Iterable[Record],
    definitions: ast.Definitions,
    as_of: int | None = None,
    *,
    failures: Iterable[Failure] = (),
    stitch_window_us: int = DEFAULT_STITCH_WINDOW_US,
    max_merges: int = DEFAULT_MAX_MERGES,
) -> Tables:
    """Every table.

    Args:
        records: events as `transforms.deduplicate.copies.record_of` gives them, in any order, with any copies.
        definitions: segments and computed traits.
        as_of: the instant at which everything is told, microseconds; None: the latest event's.
        failures: records that are no events.
        stitch_window_us: how long before its first link a device's events become the user's, microseconds.
        max_merges: how many users aliases may put into one.
    """
    compiled = _Compiled(compile_program(definitions), compile_accounts(definitions))
    given = list(records)
    kept = deduplicate(given, {record[PREVIOUS_ID] for record in given if record[TYPE] == RETRACT})
    retracts = tell_retractions(kept.retracts, kept.retracted)
    told = route(kept.records, as_of)
    now = told.latest if as_of is None else as_of
    plan = plan_of(told.claims, told.last_seen, now, stitch_window_us=stitch_window_us, max_merges=max_merges)
    tables = _Tables()
    refused = [refusal(claim, plan.refused[claim[MESSAGE_ID]]) for claim in told.claims if _is_refused(claim, plan)]
    erasure = FailedErasure(plan, links_of_erased(told.devices, plan))
    for failure in (*failures, *kept.failures, *retracts.failures, *refused):
        tables.add(FAILED_EVENTS.name, erasure.left_of(failure_row(failure)))
    for row in retracts.rows:
        tables.add(RETRACTIONS.name, row)
    _resolve(told, plan, compiled, tables)
    return tables.sorted()


def _is_refused(claim: Record, plan: IdentityPlan) -> bool:
    return claim[MESSAGE_ID] in plan.refused


class _Compiled(NamedTuple):
    people: Program
    accounts: AccountRules


def _resolve(told: Routed, plan: IdentityPlan, compiled: _Compiled, tables: _Tables) -> None:
    devices = resolve_devices(told.devices, plan)
    first = gather((*told.known, *devices.known, *devices.anonymous), plan)
    histories = first.histories | gather(first.merged, plan, regrouped=True).histories
    for row in (*merged_profiles(plan), *devices.absorbed):
        tables.add(PROFILES.name, row)
    for row in devices.links:
        tables.add(IDENTITY_LINKS.name, row)
    for profile_id, records in histories.items():
        records.sort(key=BY_TIME)
        _add_profile(profile_id, records, compiled.people, plan.as_of, tables)
    for _, account in accounts(histories, compiled.accounts, plan.as_of):
        tables.add(ACCOUNTS.name, account.account)
        for name, rows in ((MEMBERSHIPS.name, account.memberships), (MEMBERSHIP_CHANGES.name, account.changes)):
            for row in rows:
                tables.add(name, row)
    erased = Counter(devices.erased)
    erased.update({(deletion, EVENTS.name): count for deletion, count in first.erased.items()})
    for claim in told.claims:
        if claim[TYPE] == "delete":
            counts = {table: count for (deletion, table), count in erased.items() if deletion == claim[MESSAGE_ID]}
            row = receipt_row(claim[MESSAGE_ID], claim[TIMESTAMP], claim[USER_ID], counts, plan.as_of)
            tables.add(DELETIONS.name, row)


def _add_profile(profile_id: str, records: list[Record], program: Program, as_of: int, tables: _Tables) -> None:
    for record in records:
        tables.add(EVENTS.name, event_row(record, profile_id))
    history = build_history(program, profile_id, records, as_of)
    if history is not None:
        tables.add(PROFILES.name, history.profile)
        for name, rows in ((MEMBERSHIPS.name, history.memberships), (MEMBERSHIP_CHANGES.name, history.changes)):
            for row in rows:
                tables.add(name, row)


class _Tables:
    """Rows by table and key. A record that failed twice alike is one row."""

    def __init__(self) -> None:
        self._keys = {table.name: len(table.key) for table in TABLES}
        self._rows: dict[str, dict[Row, Row]] = {table.name: {} for table in TABLES}

    def add(self, table: str, row: Row) -> None:
        rows, key = self._rows[table], row[: self._keys[table]]
        if table != FAILED_EVENTS.name or key not in rows or _source(row) < _source(rows[key]):
            rows[key] = row

    def sorted(self) -> Tables:
        return {name: [row for _, row in sorted(rows.items(), key=_key)] for name, rows in self._rows.items()}


_key = itemgetter(0)
_SOURCE = FAILED_EVENTS.column_names().index("source")


def _source(row: Row) -> str:
    source: str = row[_SOURCE]
    return source

"""What a destination should hold and has, and the difference: read from tables and ledger, decided elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pipelines.activation.tables import ActivationTables
from pipelines.io.destinations.base import Connection
from pipelines.io.ledger import Ledger
from schemas.ledger import ACTIVATIONS, DESTINATION_RECORDS, SUPPRESSIONS
from transforms.activation.contexts import CONTEXT, cache_context, collections, rest_context
from transforms.activation.destination import Destination
from transforms.activation.difference import Known, Plan, erased_hashes, find_difference
from transforms.activation.fields import Profile
from transforms.activation.people import Person, person_of
from transforms.activation.rows import PENDING, Activation, Record
from transforms.activation.suppression import Suppressed
from transforms.activation.wanted import Membership, Wish, find_wanted


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked of the command.

    Attributes:
        at_us: members at this instant count; None: at the tables' own.
        consent: the purposes that each segment asks for.
        reconcile: whether each destination is asked what it holds.
        max_leaving: the largest share of a segment that may leave at once.
        force: let them leave.
        now_us: the clock.
    """

    at_us: int | None = None
    consent: Mapping[str, Sequence[str]] = field(default_factory=dict)
    reconcile: bool = False
    max_leaving: float = 0.5
    force: bool = False
    now_us: int = 0


@dataclass(frozen=True, slots=True)
class Work:
    """One destination's plan. `obstacles`: why members are not wanted, by segment and reason."""

    destination: Destination
    plan: Plan
    records: list[Record]
    wanted: Counter[str]
    obstacles: Counter[tuple[str, str]]
    blocked: str = ""


SMALLEST = 20
"""A segment with fewer members than this may be left by all of them."""


def plan_destination(
    destination: Destination,
    tables: ActivationTables,
    ledger: Ledger | None,
    connection: Connection | None,
    request: Request,
) -> Work:
    """The plan of one destination. Sends nothing, but for reading back when that is asked.

    Raises:
        Later: the destination does not say what it holds.
    """
    rows = [Activation(*row) for row in ledger.read(ACTIVATIONS, destination=destination.name)] if ledger else []
    kept = [Record(*row) for row in ledger.read(DESTINATION_RECORDS, destination=destination.name)] if ledger else []
    said = ledger.read(SUPPRESSIONS, destination=destination.name) if ledger else []
    suppressed = tables.suppressed().with_answers({row[1]: row[2] for row in said})
    members = tables.members(destination.segments, request.at_us)
    held = [row.profile_id for row in rows if row.wanted or row.state == PENDING]
    profiles = tables.profiles({*(one.profile_id for one in members), *held})
    people = {profile_id: person_of(profile, destination) for profile_id, profile in profiles.items()}
    pairs = [(one.profile_id, one.segment) for one in members]
    wishes = list(find_wanted(destination, pairs, people, request.consent, suppressed))
    wishes = _with_contexts(destination, wishes, profiles, members, tables)
    found, back = None, {}
    if request.reconcile and connection is not None:
        back = connection.read_back(_segments(destination, rows)) or {}
        found = {segment: set(hashes) for segment, hashes in back.items()} if back else None
    identifiers = {person.identifier_hash: person.identifier for person in people.values() if person.identifier}
    for hashes in back.values():
        identifiers |= hashes
    records = {record.identifier_hash: record for record in kept}
    known = Known(rows, records, identifiers, found)
    living = _living(destination, tables, erased_hashes(known, suppressed), suppressed)
    plan = find_difference(destination, wishes, known, suppressed, request.now_us, living)
    moved = _merged_records(tables, kept)
    wanted = Counter(wish.segment for wish in wishes if not wish.obstacle)
    obstacles = Counter((wish.segment, wish.obstacle) for wish in wishes if wish.obstacle)
    return Work(destination, plan, moved, wanted, obstacles, _blocked(plan, request))


def _segments(destination: Destination, rows: Collection[Activation]) -> list[str]:
    return sorted({*destination.segments, *(row.segment for row in rows)})


def _with_contexts(
    destination: Destination,
    wishes: list[Wish],
    profiles: Mapping[str, Profile],
    members: Sequence[Membership],
    tables: ActivationTables,
) -> list[Wish]:
    """Some kinds are told more than the file's fields."""
    if destination.kind not in {"rest", "redis"}:
        return wishes
    wanted = {(wish.person.profile_id, wish.segment) for wish in wishes if not wish.obstacle}
    ids = {profile_id for profile_id, _ in wanted}
    contexts: dict[str, dict[str, Any]] = {}
    if destination.kind == "rest":
        events = {str(one.get("event")) for one in collections(destination).values()}
        histories = tables.histories(ids, events)
        contexts = {one: rest_context(destination, profiles[one], histories.get(one, {})) for one in ids}
    else:
        stays: dict[str, list[Membership]] = {}
        for one in members:
            if (one.profile_id, one.segment) in wanted:
                stays.setdefault(one.profile_id, []).append(one)
        contexts = {profile_id: cache_context(of_profile, profile_id) for profile_id, of_profile in stays.items()}
    people: dict[str, Person] = {}
    for wish in wishes:
        context = contexts.get(wish.person.profile_id)
        fields = wish.person.fields if context is None else {**wish.person.fields, CONTEXT: context}
        people.setdefault(wish.person.profile_id, replace(wish.person, fields=fields))
    return [wish._replace(person=people[wish.person.profile_id]) for wish in wishes]


def _living(
    destination: Destination, tables: ActivationTables, erased: Collection[str], suppressed: Suppressed
) -> set[str]:
    """Identifiers of the erased that somebody else has, too."""
    holders = tables.known_by(destination.identifier, erased)
    return {hash_ for hash_, ids in holders.items() if not all(suppressed.is_erased(one) for one in ids)}


def _merged_records(tables: ActivationTables, records: Sequence[Record]) -> list[Record]:
    """Records whose profile another one has taken: an erasure of that one must find them."""
    merged = tables.merged([record.profile_id for record in records]) if records else {}
    return [one._replace(profile_id=merged[one.profile_id]) for one in records if one.profile_id in merged]


def _blocked(plan: Plan, request: Request) -> str:
    if request.force:
        return ""
    for segment, (leaving, members) in sorted(plan.leaving.items()):
        if members >= SMALLEST and leaving > members * request.max_leaving:
            return f"{leaving:,} of {members:,} would leave {segment}; is that right? --force lets them"
    return ""

"""The difference between what is wanted and what a destination has acknowledged.

A destination knows identifiers, the ledger knows profiles. An identifier is in a segment if any profile with it is
wanted there; so the difference is taken of (identifier, segment), and the rows of profiles follow it.

| the ledger says of (identifier, segment) | it is there |
| --- | --- |
| acknowledged, wanted | certainly |
| pending, whatever was wanted | perhaps: it is asked for again, or taken out |
| anything else | not |

A profile whose identifier has changed has one row for two of them: the old one leaves first, and the row then goes over
to the new one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from transforms.activation.destination import KINDS, Destination
from transforms.activation.people import Person, owner
from transforms.activation.rows import (
    ACKNOWLEDGED,
    PENDING,
    REFUSED,
    SUPPRESSED,
    Activation,
    Change,
    Key,
    Record,
    State,
)
from transforms.activation.suppression import ERASED, Suppressed
from transforms.activation.wanted import NO_CONSENT, NO_IDENTIFIER, Wish


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a destination before a run.

    Attributes:
        rows: of the ledger.
        records: of the ledger, by hashed identifier.
        identifiers: those that the tables still hold, by hash.
        found: identifiers that the destination itself says are in each segment, by hash; None: it was not asked.
    """

    rows: Collection[Activation]
    records: Mapping[str, Record] = field(default_factory=dict)
    identifiers: Mapping[str, str] = field(default_factory=dict)
    found: Mapping[str, Collection[str]] | None = None


@dataclass(slots=True)
class Plan:
    """What is to be done, in this order.

    Attributes:
        settled: rows that need no request.
        erasures: people to be gone altogether.
        removals: out of segments, before anybody enters.
        additions: into segments, and fields that have changed.
        leaving: by segment, how many leave, and of how many.
    """

    settled: list[Activation] = field(default_factory=list)
    erasures: list[Change] = field(default_factory=list)
    removals: list[Change] = field(default_factory=list)
    additions: list[Change] = field(default_factory=list)
    leaving: dict[str, tuple[int, int]] = field(default_factory=dict)

    def changes(self) -> list[Change]:
        """All of them."""
        return [*self.erasures, *self.removals, *self.additions]


def find_difference(
    destination: Destination,
    wishes: Iterable[Wish],
    known: Known,
    suppressed: Suppressed,
    now_us: int,
    living: Collection[str] = (),
) -> Plan:
    """What has to be done so that the destination holds what is wanted.

    Args:
        destination: its file.
        wishes: of every member of its segments.
        known: what it holds, as far as is known.
        suppressed: who said no.
        now_us: the clock's instant, for new rows.
        living: hashed identifiers of erased people that somebody else has, too: these stay.
    """
    return _Difference(destination, list(wishes), known, suppressed, now_us, frozenset(living)).plan()


class _Difference:
    def __init__(
        self,
        destination: Destination,
        wishes: list[Wish],
        known: Known,
        suppressed: Suppressed,
        now_us: int,
        living: frozenset[str],
    ) -> None:
        self._destination = destination
        self._known = known
        self._suppressed = suppressed
        self._now_us = now_us
        self._sends_fields = KINDS[destination.kind].sends_fields
        self._erased = erased_hashes(known, suppressed) - living
        self._rows = {row.key: row for row in known.rows if row.identifier_hash not in self._erased}
        self._obstacles = {(wish.person.profile_id, wish.segment): wish for wish in wishes if wish.obstacle}
        self._wanted = {(wish.person.profile_id, wish.segment): wish.person for wish in wishes if not wish.obstacle}
        self._people: dict[str, list[Person]] = defaultdict(list)
        for person in {person.profile_id: person for person in self._wanted.values()}.values():
            self._people[person.identifier_hash].append(person)
        self._owners = {hash_: owner(people) for hash_, people in self._people.items()}
        self._places = {(person.identifier_hash, segment) for (_, segment), person in self._wanted.items()}
        self._certain, self._perhaps = self._held()
        self._outdated = self._with_other_fields() if self._sends_fields else frozenset()

    def plan(self) -> Plan:
        plan = Plan()
        plan.erasures = [self._erasure(hash_) for hash_ in sorted(self._erased)]
        removals, additions = self._leave(plan), self._enter(plan)
        plan.removals = [self._removal(hash_, removals[hash_]) for hash_ in sorted(removals)]
        plan.additions = [self._addition(hash_, rows) for hash_, rows in sorted(additions.items())]
        plan.leaving = self._count_leaving()
        return plan

    # --- what is there -----------------------------------------------------------------------------------------------

    def _held(self) -> tuple[frozenset[Key], frozenset[Key]]:
        """What is certainly, and what is perhaps at the destination."""
        if self._known.found is not None:
            found = self._known.found.items()
            return frozenset((hash_, segment) for segment, hashes in found for hash_ in hashes), frozenset()
        perhaps = frozenset(row.place for row in self._rows.values() if row.state == PENDING)
        said = frozenset(row.place for row in self._rows.values() if row.state == ACKNOWLEDGED and row.wanted)
        return said - perhaps, perhaps

    def _with_other_fields(self) -> frozenset[str]:
        """Identifiers that are there, and were last sent with other fields than now."""
        return frozenset(
            row.identifier_hash
            for row in self._rows.values()
            if row.identifier_hash in self._owners
            and row.wanted
            and row.place in self._certain
            and row.fields_hash != self._owners[row.identifier_hash].fields_hash
        )

    # --- who leaves --------------------------------------------------------------------------------------------------

    def _leave(self, plan: Plan) -> dict[str, list[tuple[str, Activation | None]]]:
        """Segments to be left, by identifier, with the rows that say so; rows that need no request are settled."""
        removals: dict[str, list[tuple[str, Activation | None]]] = defaultdict(list)
        leaving = (self._certain | self._perhaps) - self._places
        told = set()
        for row in self._rows.values():
            moved = row.key in self._wanted and self._wanted[row.key].identifier_hash != row.identifier_hash
            if row.key in self._wanted and not moved:
                continue
            reason = self._reason(row)
            if row.place in leaving:
                told.add(row.place)
                removals[row.identifier_hash].append((row.segment, self._intent(row, reason)))
            elif not moved and (row.wanted or row.state in (PENDING, REFUSED) or (reason and row.state != SUPPRESSED)):
                state = SUPPRESSED if reason else ACKNOWLEDGED
                plan.settled.append(self._changed(row, wanted=False, state=state, reason=reason))
        for (profile_id, segment), wish in self._obstacles.items():
            if (profile_id, segment) not in self._rows and wish.obstacle not in (NO_CONSENT, NO_IDENTIFIER):
                plan.settled.append(self._suppressed_row(wish))
        for hash_, segment in sorted(leaving - told):
            removals[hash_].append((segment, None))
        return removals

    def _reason(self, row: Activation) -> str | None:
        wish = self._obstacles.get(row.key)
        obstacle = wish.obstacle if wish is not None else ""
        if obstacle in ("", NO_CONSENT, NO_IDENTIFIER):
            return self._suppressed.reason(row.profile_id, row.identifier_hash)
        return obstacle

    def _intent(self, row: Activation, reason: str | None) -> Activation:
        if row.state == PENDING and not row.wanted:
            return row._replace(attempts=row.attempts + 1, reason=reason)
        return self._changed(row, wanted=False, state=PENDING, reason=reason, attempts=1)

    def _changed(
        self, row: Activation, *, wanted: bool, state: State, reason: str | None, attempts: int | None = None
    ) -> Activation:
        return row._replace(
            wanted=wanted,
            state=state,
            reason=reason,
            attempts=row.attempts if attempts is None else attempts,
            changed_at=self._now_us,
        )

    def _suppressed_row(self, wish: Wish) -> Activation:
        hash_, now = wish.person.identifier_hash, self._now_us
        name, profile_id = self._destination.name, wish.person.profile_id
        return Activation(name, profile_id, wish.segment, False, SUPPRESSED, hash_, None, 0, wish.obstacle, now)

    def _removal(self, hash_: str, parts: list[tuple[str, Activation | None]]) -> Change:
        rows = tuple(row for _, row in parts if row is not None)
        segments = tuple(sorted({segment for segment, _ in parts}))
        change = self._change("remove", hash_, rows[0].profile_id if rows else "", segments, rows)
        person = self._owners.get(hash_)  # who stays in other segments: some destinations are told the whole
        return change if person is None else replace(change, identifier=person.identifier, fields=person.fields)

    # --- who enters --------------------------------------------------------------------------------------------------

    def _enter(self, plan: Plan) -> dict[str, list[Activation]]:
        additions: dict[str, list[Activation]] = defaultdict(list)
        for (profile_id, segment), person in self._wanted.items():
            hash_, row = person.identifier_hash, self._rows.get((profile_id, segment))
            wanted = self._wanted_row(person, segment, row)
            if (hash_, segment) not in self._certain or hash_ in self._outdated:
                additions[hash_].append(wanted)
            elif row is None or row._replace(attempts=0, reason=None, changed_at=0) != wanted._replace(
                state=ACKNOWLEDGED, attempts=0, reason=None, changed_at=0
            ):
                plan.settled.append(wanted._replace(state=ACKNOWLEDGED, changed_at=self._now_us))
        return {hash_: rows for hash_, rows in additions.items() if not self._is_refused(rows)}

    def _wanted_row(self, person: Person, segment: str, row: Activation | None) -> Activation:
        """The row of an intent. One that says the same as before keeps its instant: it is the same intent."""
        fields_hash = self._owners[person.identifier_hash].fields_hash if self._sends_fields else None
        name, hash_ = self._destination.name, person.identifier_hash
        new = Activation(name, person.profile_id, segment, True, PENDING, hash_, fields_hash, 1, None, self._now_us)
        if row is None or row.state not in (PENDING, REFUSED) or not row.wanted:
            return new
        if (row.place, row.fields_hash) != (new.place, fields_hash):
            return new
        return new._replace(attempts=row.attempts + 1, changed_at=row.changed_at)

    def _is_refused(self, rows: list[Activation]) -> bool:
        """Whether the destination has refused for good what would be asked again."""
        before = [self._rows.get(row.key) for row in rows]
        return all(
            old is not None
            and old.state == REFUSED
            and old.wanted
            and (old.place, old.fields_hash) == (row.place, row.fields_hash)
            for old, row in zip(before, rows, strict=True)
        )

    def _addition(self, hash_: str, rows: list[Activation]) -> Change:
        person = self._owners[hash_]
        segments = tuple(sorted({row.segment for row in rows if row.place not in self._certain}))
        change = self._change("add", hash_, person.profile_id, segments, tuple(rows))
        return replace(change, identifier=person.identifier, fields=person.fields)

    # --- who is erased -----------------------------------------------------------------------------------------------

    def _erasure(self, hash_: str) -> Change:
        rows = tuple(self._intent(row, ERASED) for row in self._known.rows if row.identifier_hash == hash_)
        record = self._known.records.get(hash_)
        profile_id = rows[0].profile_id if rows else record.profile_id if record else ""
        return self._change("erase", hash_, profile_id, (), rows)

    def _change(
        self, kind: str, hash_: str, profile_id: str, segments: tuple[str, ...], rows: tuple[Activation, ...]
    ) -> Change:
        record = self._known.records.get(hash_)
        identifier = self._known.identifiers.get(hash_)
        record_id = record.record_id if record else ""
        return Change(kind, hash_, identifier, record_id, profile_id, segments, {}, rows)  # type: ignore[arg-type]

    def _count_leaving(self) -> dict[str, tuple[int, int]]:
        """Of the members of each segment that the file still names: who leaves for no reason of their own, and all."""
        counts: dict[str, list[int]] = {segment: [0, 0] for segment in self._destination.segments}
        for row in self._rows.values():
            if row.segment in counts and row.wanted and row.state in (ACKNOWLEDGED, PENDING):
                counts[row.segment][1] += 1
                counts[row.segment][0] += row.key not in self._wanted and not self._reason(row)
        return {segment: (leaving, members) for segment, (leaving, members) in counts.items()}


def erased_hashes(known: Known, suppressed: Suppressed) -> frozenset[str]:
    """Identifiers that the destination was given for people who are now erased."""
    sent = (row for row in known.rows if row.state != SUPPRESSED)
    rows = frozenset(row.identifier_hash for row in sent if suppressed.is_erased(row.profile_id))
    return rows | {hash_ for hash_, record in known.records.items() if suppressed.is_erased(record.profile_id)}

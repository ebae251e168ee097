"""Builds profiles in a bounded job: a bucket's events in, blocks of all tables that follow from them out.

After identity, before the output. Takes blocks of events; a profile's events are all in one bucket. Users that an alias
has made one profile are in the buckets of their own ids: they make one more hop, to their root's.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, Literal, NamedTuple

import apache_beam as beam
import pyarrow as pa
from apache_beam.pvalue import AsList, AsSingleton, TaggedOutput
from apache_beam.typehints.decorators import no_annotations

from schemas.tables import EVENTS
from transforms import counting
from transforms.accounts.bucket import add_to_accounts
from transforms.accounts.columns import users_in_accounts
from transforms.columns.blocks import concatenated, packed_by, unpack
from transforms.columns.events import EVENTS as EVENT_COLUMNS
from transforms.columns.events import OWNED_EVENTS, OWNER
from transforms.columns.parts import selected
from transforms.columns.selection import Selection
from transforms.identity.plan import IdentityPlan
from transforms.profiles.columns import OrderedEvents, gather_columns, histories, ordered, take_known, until
from transforms.profiles.table_columns import event_blocks, membership_blocks, profile_block
from transforms.records import Buckets, collection_paused
from transforms.segments.history import compile_history, evaluate
from transforms.segments.language import ast

_LARGE_ROWS: Final = 100_000


class Taken(NamedTuple):
    """A bucket's events.

    Attributes:
        events: with their owners.
        kind: what ids of their profiles begin with.
        settled: their owners are final: they are no users that an alias may have made one.
    """

    events: Selection
    kind: Literal["user:", "anon:"]
    settled: bool


Take = Callable[[Any, list[bytes]], Taken]
"""(a bucket's element, suspects) -> its events."""


class BuiltProfiles(NamedTuple):
    """Blocks of the output's tables, what was erased, and events that go on, keyed by bucket: those of merged users to
    their root, those of accounts' users to the account.
    """

    tables: Any
    erased: Any
    merged: Any
    accounts: Any


class BuildProfiles(beam.PTransform[tuple[Any, ...], BuiltProfiles]):
    """Profiles, memberships, their changes and events of every profile in (bucket, events).

    Takes (buckets, plan, suspects).

    Args:
        definitions: what to evaluate.
        buckets: how many buckets there are.
        order: the place of the first bucket's blocks of `events`; another's is as much further as its number says.
        take: how to come by a bucket's events: `take_users_or_devices` or `take_merged`.
    """

    def __init__(self, definitions: ast.Definitions, buckets: int, order: int, take: Take) -> None:
        super().__init__()
        self._definitions = definitions
        self._buckets = buckets
        self._order = order
        self._take = take

    @no_annotations
    def expand(self, inputs: tuple[Any, ...]) -> BuiltProfiles:
        blocks, plan, suspects = inputs
        build = _BuildProfiles(self._definitions, self._buckets, self._order, self._take)
        outputs = blocks | "Build" >> beam.ParDo(build, AsSingleton(plan), AsList(suspects)).with_outputs(
            *BuiltProfiles._fields
        )
        return BuiltProfiles(outputs.tables, outputs.erased, outputs.merged, outputs.accounts)


def take_users_or_devices(told: Mapping[str, Iterable[Any]], suspects: list[bytes]) -> Taken:
    """Of a bucket of users `known`, `exact` and `resolved`; of one of devices parts of the `anonymous` events."""
    anonymous = list(told["anonymous"])
    if anonymous:
        events, rows = selected(anonymous, EVENT_COLUMNS)
        return Taken(Selection(events.append_column(OWNER, events.column("anonymous_id")), rows), "anon:", settled=True)
    return Taken(take_known(told, suspects), "user:", settled=False)


def take_merged(packed: Iterable[bytes], _: list[bytes]) -> Taken:
    """Events of users that aliases have made one profile, whose owner is the root."""
    return Taken(Selection(concatenated(map(unpack, packed), OWNED_EVENTS)), "user:", settled=True)


class _BuildProfiles(beam.DoFn):
    def __init__(self, definitions: ast.Definitions, buckets: int, order: int, take: Take) -> None:
        self._definitions = definitions
        self._buckets = buckets
        self._order = order
        self._take = take

    def setup(self) -> None:
        self._program = compile_history(self._definitions)

    @no_annotations
    def process(
        self, bucket: tuple[int, Any], plan: IdentityPlan, suspects: list[bytes]
    ) -> Iterator[TaggedOutput[str, Any]]:
        number, told = bucket
        with collection_paused():
            events, kind, settled = self._take(told, suspects)
            # Of users alone: a device may be called like a user that was merged.
            found = gather_columns(events, plan, regrouped=settled)
            del events
            for deletion, rows in found.erased.items():
                counting.count(counting.ERASED, rows)
                yield TaggedOutput("erased", (deletion, (EVENTS.name, rows)))
            for keyed in packed_by(found.merged, "owner", self._buckets):
                yield TaggedOutput("merged", keyed)
            count = found.events.num_rows
            if count:
                last = [found.events]
                del found  # half of all events may be in this bucket: one copy of them is enough
                yield from self._tables(number, ordered(last.pop(), kind), plan.as_of)
        if count > _LARGE_ROWS:  # what comes after it needs the memory, in another process perhaps
            pa.default_memory_pool().release_unused()

    def _tables(self, bucket: int, found: OrderedEvents, as_of: int) -> Iterator[TaggedOutput[str, Any]]:
        counting.count(counting.ACCEPTED, found.events.num_rows)
        for rows in event_blocks(found, self._order + bucket):
            yield TaggedOutput("tables", rows)
        for keyed in _of_accounts(found, self._buckets):
            yield TaggedOutput("accounts", keyed)
        existing = until(found, as_of)
        if not existing.profile_ids:
            return
        of_profiles = histories(existing)
        evaluated = evaluate(self._program, of_profiles, as_of)
        segments = self._program.definitions.segments
        profiles, not_normalised = profile_block(of_profiles, existing.events, evaluated, segments, as_of)
        counting.count(counting.PROFILES, len(existing.profile_ids))
        for column, count in not_normalised.items():
            counting.count(counting.NOT_NORMALISED + column, count)
        yield TaggedOutput("tables", profiles)
        for rows in membership_blocks(of_profiles, evaluated, segments, as_of):
            yield TaggedOutput("tables", rows)


def _of_accounts(found: OrderedEvents, buckets: int) -> Iterator[tuple[int, bytes]]:
    accounts = Buckets(buckets)
    for profile_id, records in users_in_accounts(found):
        add_to_accounts(accounts, profile_id, records)
    yield from accounts.blocks()

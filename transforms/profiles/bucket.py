"""Builds profiles in a bounded job: a bucket's events in, blocks of all tables that follow from them out.

After identity, before the output. Takes blocks of (profile key, event); a profile's events are all in one bucket. Users
that an alias has made one profile are in the buckets of their own ids: they make one more hop, to their root's.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Literal, NamedTuple, TypeAlias

import apache_beam as beam
from apache_beam.pvalue import AsSingleton, TaggedOutput
from apache_beam.typehints.decorators import no_annotations

from schemas.block import TableBlock
from schemas.tables import EVENTS, MEMBERSHIP_CHANGES, MEMBERSHIPS, PROFILES
from transforms import counting
from transforms.accounts.bucket import add_to_accounts
from transforms.identity.bucket import Erased
from transforms.identity.plan import IdentityPlan
from transforms.profiles.gather import gather
from transforms.profiles.history import BY_TIME, ProfileHistory, build_history
from transforms.profiles.rows import Row, block
from transforms.records import Buckets, Record, collection_paused, unpack
from transforms.segments.compiler import compile_program
from transforms.segments.language import ast

Tables = TaggedOutput[Literal["tables"], TableBlock]
ErasedRows = TaggedOutput[Literal["erased"], Erased]
OfMerged = TaggedOutput[Literal["merged"], tuple[int, bytes]]
OfAccounts = TaggedOutput[Literal["accounts"], tuple[int, bytes]]
Outputs: TypeAlias = Tables | ErasedRows | OfMerged | OfAccounts


class BuiltProfiles(NamedTuple):
    """Blocks of the output's tables, what was erased, and events that go on, keyed by bucket: those of merged users to
    their root, those of accounts' users to the account.
    """

    tables: beam.PCollection[TableBlock]
    erased: beam.PCollection[Erased]
    merged: beam.PCollection[tuple[int, bytes]]
    accounts: beam.PCollection[tuple[int, bytes]]


class BuildProfiles(beam.PTransform[tuple[beam.PCollection[Any], beam.PCollection[IdentityPlan]], BuiltProfiles]):
    """Profiles, memberships, their changes and events of every profile in (bucket, blocks).

    Args:
        definitions: what to evaluate.
        buckets: how many buckets there are.
        order: the first place of the blocks of `events`; a stage uses the places up to `order + buckets`.
        regrouped: the events have made the hop to their root's bucket.
    """

    def __init__(self, definitions: ast.Definitions, buckets: int, order: int, *, regrouped: bool = False) -> None:
        super().__init__()
        self._definitions = definitions
        self._buckets = buckets
        self._order = order
        self._regrouped = regrouped

    @no_annotations
    def expand(self, inputs: tuple[beam.PCollection[Any], beam.PCollection[IdentityPlan]]) -> BuiltProfiles:
        blocks, plan = inputs
        build = _BuildProfiles(self._definitions, self._buckets, self._order, self._regrouped)
        outputs = blocks | "Build" >> beam.ParDo(build, AsSingleton(plan)).with_outputs(*BuiltProfiles._fields)
        return BuiltProfiles(outputs.tables, outputs.erased, outputs.merged, outputs.accounts)


class _BuildProfiles(beam.DoFn):
    def __init__(self, definitions: ast.Definitions, buckets: int, order: int, regrouped: bool) -> None:
        self._definitions = definitions
        self._buckets = buckets
        self._order = order
        self._regrouped = regrouped

    def setup(self) -> None:
        self._program = compile_program(self._definitions)

    def process(self, bucket: tuple[int, Iterable[bytes]], plan: IdentityPlan) -> Iterator[Outputs]:
        found = gather(unpack(bucket[1]), plan, regrouped=self._regrouped)
        for deletion, rows in found.erased.items():
            counting.count(counting.ERASED, rows)
            yield ErasedRows("erased", (deletion, (EVENTS.name, rows)))
        merged = Buckets(self._buckets)
        for pair in found.merged:
            merged.add(pair[0][5:], pair)
        for packed in merged.blocks():
            yield OfMerged("merged", packed)
        if found.histories:
            with collection_paused():
                yield from self._tables(bucket[0], found.histories, plan.as_of)

    def _tables(self, bucket: int, histories: dict[str, list[Record]], as_of: int) -> Iterator[Outputs]:
        built: list[ProfileHistory] = []
        events: list[Record] = []
        owners: list[str] = []
        accounts = Buckets(self._buckets)
        for profile_id in sorted(histories):
            records = histories.pop(profile_id)
            records.sort(key=BY_TIME)
            history = build_history(self._program, profile_id, records, as_of)
            if history is not None:
                built.append(history)
                for column in history.not_normalised:
                    counting.count(counting.NOT_NORMALISED + column)
            add_to_accounts(accounts, profile_id, records)
            events += records
            owners += [profile_id] * len(records)
        counting.count(counting.ACCEPTED, len(events))
        counting.count(counting.PROFILES, len(built))
        for packed in accounts.blocks():
            yield OfAccounts("accounts", packed)
        yield Tables("tables", _events_block(events, owners, self._order + bucket))
        for table, rows in (
            (PROFILES, [history.profile for history in built]),
            (MEMBERSHIPS, _joined(history.memberships for history in built)),
            (MEMBERSHIP_CHANGES, _joined(history.changes for history in built)),
        ):
            if rows:
                yield Tables("tables", block(table, rows))


def _joined(lists: Iterable[list[Row]]) -> list[Row]:
    return [row for rows in lists for row in rows]


def _events_block(events: list[Record], owners: list[str], order: int) -> TableBlock:
    """Events as rows: column by column, since there are as many as there are events in the input."""
    ids, times, types, names, users, devices, previous, groups, received, properties, traits, contexts = zip(
        *events, strict=True
    )
    names = tuple(name or None for name in names)
    said = (received, properties, traits, contexts, previous, groups)
    return TableBlock(EVENTS.name, order, (ids, owners, users, devices, types, names, times, *said))

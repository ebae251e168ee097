"""Decides, in a bounded job, whose each event is: the Beam side of `plan.py`, `devices.py` and `columns.py`.

After deduplication, before profiles are built. Aliases and deletions are resolved in one place, into the
`IdentityPlan`; anonymous events meet the links of their device in a bucket of the device's id.
"""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import apache_beam as beam
import pyarrow as pa
from apache_beam.pvalue import AsList, AsSingleton, TaggedOutput
from apache_beam.typehints.decorators import no_annotations

from schemas.block import TableBlock
from schemas.event import MESSAGE_ID
from schemas.tables import EVENTS, IDENTITY_LINKS, PROFILES
from transforms import counting
from transforms.columns.blocks import packed_by, unpack
from transforms.columns.events import EVENTS as EVENT_COLUMNS
from transforms.columns.events import LINKS, OWNER, columns_of, owned_events
from transforms.columns.parts import Blocks, whole
from transforms.columns.selection import Selection
from transforms.columns.table_blocks import columns_block
from transforms.deduplicate.bucket import DeduplicatedEvents
from transforms.deduplicate.columns import standing
from transforms.failed_events import count_failures, failed_events_block
from transforms.identity.aliases import refusal
from transforms.identity.columns import DECIDING, ResolvedColumns, resolve_columns
from transforms.identity.plan import IdentityPlan, merged_profiles, plan_of
from transforms.profiles.rows import block
from transforms.records import Record, collection_paused

Erased = tuple[str, tuple[str, int]]
"""(message id of the deletion, (table, rows))."""

_OUTPUTS = ("known", "anonymous", "tables", "erased", "links")


class ResolvedIdentity(NamedTuple):
    """What leaves the stage.

    Attributes:
        plan: one IdentityPlan.
        known: (bucket, block of events with their owner) of anonymous events that turned out to be a user's.
        anonymous: (bucket, part of a block of events) of those that are their device's; these buckets have other
            numbers than those of users.
        tables: rows of identity_links and of absorbed profiles.
        refused: rows of failed_events, of refused aliases.
        erased: what was erased, by deletion.
        links: (device, its links) of the devices that were ever linked to somebody who is erased.
    """

    plan: Any
    known: Any
    anonymous: Any
    tables: tuple[Any, ...]
    refused: Any
    erased: Any
    links: Any


class ResolveIdentity(beam.PTransform[DeduplicatedEvents, ResolvedIdentity]):
    """Links, aliases and erasure (docs/identity.md)."""

    def __init__(self, buckets: int, as_of: int | None, stitch_window_us: int, max_merges: int) -> None:
        super().__init__()
        self._buckets = buckets
        self._as_of = as_of
        self._stitch_window_us = stitch_window_us
        self._max_merges = max_merges

    @no_annotations
    def expand(self, events: DeduplicatedEvents) -> ResolvedIdentity:
        claims = events.claims
        plan = (
            claims.pipeline
            | "Once" >> beam.Create([None])
            | "MakePlan"
            >> beam.Map(
                _plan,
                AsList(claims),
                AsList(events.users),
                AsList(events.latest),
                as_of=self._as_of,
                stitch_window_us=self._stitch_window_us,
                max_merges=self._max_merges,
            )
        )
        refused = claims | "RefuseAliases" >> beam.ParDo(_refuse, AsSingleton(plan))
        merged = plan | "MergedProfiles" >> beam.FlatMap(_merged_rows)
        of_device = {
            "events": events.devices,
            "links": events.links,
            "exact_events": events.exact_devices,
            "exact_links": events.exact_links,
        }
        devices = (
            of_device
            | "ByDevice" >> beam.CoGroupByKey()
            | "ResolveDevices"
            >> beam.ParDo(_ResolveDevices(self._buckets), AsSingleton(plan), AsList(events.suspects)).with_outputs(
                *_OUTPUTS
            )
        )
        tables = (merged, devices.tables)
        return ResolvedIdentity(plan, devices.known, devices.anonymous, tables, refused, devices.erased, devices.links)


def _plan(
    _: None,
    claims: list[Record],
    users: list[tuple[str, int]],
    latest: list[int],
    *,
    as_of: int | None,
    stitch_window_us: int,
    max_merges: int,
) -> IdentityPlan:
    now = max(latest, default=0) if as_of is None else as_of
    last_seen = dict(sorted(users))  # of one user the latest
    return plan_of(claims, last_seen, now, stitch_window_us=stitch_window_us, max_merges=max_merges)


def _refuse(claim: Record, plan: IdentityPlan) -> Iterator[TableBlock]:
    reason = plan.refused.get(claim[MESSAGE_ID])
    if reason is not None:
        failures = [refusal(claim, reason)]
        count_failures(failures)
        yield failed_events_block(failures)


def _merged_rows(plan: IdentityPlan) -> Iterator[TableBlock]:
    if plan.roots:
        yield block(PROFILES, merged_profiles(plan))


class _ResolveDevices(beam.DoFn):
    """All anonymous events and links of the devices in a bucket."""

    def __init__(self, buckets: int) -> None:
        self._buckets = buckets

    @no_annotations
    def process(
        self, bucket: tuple[int, dict[str, Iterable[bytes]]], plan: IdentityPlan, suspects: list[bytes]
    ) -> Iterator[TaggedOutput[str, Any]]:
        number, told = bucket
        parsed = len(packed := list(told["events"]))
        blocks = Blocks([*packed, *told["exact_events"]], EVENT_COLUMNS)
        with collection_paused():
            heads = blocks.heads(DECIDING.names)
            links = standing(map(unpack, told["links"]), map(unpack, told["exact_links"]), suspects, LINKS)
            found = resolve_columns(
                standing(heads[:parsed], heads[parsed:], suspects, DECIDING),
                links.copied(),
                plan,
                copied=lambda events: blocks.copied(events.places),
            )
            del heads, links
            known = blocks.copied(found.known.places).append_column(OWNER, found.owners)
        for events in (known, pa.Table.from_batches([owned_events(found.exceptional.known)])):
            for keyed in packed_by(Selection(events), "owner", self._buckets):
                yield TaggedOutput("known", keyed)
        del known
        for rows in _tables(found):
            yield TaggedOutput("tables", rows)
        for of_device in found.of_erased.items():
            yield TaggedOutput("links", of_device)
        for (deletion, name), count in found.exceptional.erased.items():
            yield TaggedOutput("erased", (deletion, (name, count)))
            counting.count(counting.ERASED, count if name == EVENTS.name else 0)
        for part in blocks.parts(found.anonymous.places):
            yield TaggedOutput("anonymous", (self._buckets + number, part))
        if found.exceptional.anonymous:
            part = whole(columns_of([event for _, event in found.exceptional.anonymous]))
            yield TaggedOutput("anonymous", (self._buckets + number, part))


def _tables(found: ResolvedColumns) -> Iterator[TableBlock]:
    if found.links.num_rows:
        yield columns_block(IDENTITY_LINKS, found.links)
    if found.exceptional.links:
        yield block(IDENTITY_LINKS, found.exceptional.links)
    absorbed = found.absorbed + found.exceptional.absorbed
    if absorbed:
        yield block(PROFILES, absorbed)

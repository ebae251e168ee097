"""Decides, in a bounded job, whose each event is: the Beam side of `plan.py` and `devices.py`.

After deduplication, before profiles are built. Aliases and deletions are resolved in one place, into the
`IdentityPlan`; anonymous events meet the links of their device in a bucket of the device's id.
"""

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple, TypeAlias

import apache_beam as beam
from apache_beam.pvalue import AsList, AsSingleton, TaggedOutput
from apache_beam.typehints.decorators import no_annotations

from schemas.block import TableBlock
from schemas.event import MESSAGE_ID, PREVIOUS_ID, TYPE
from schemas.tables import EVENTS, IDENTITY_LINKS, PROFILES
from transforms import counting
from transforms.deduplicate.bucket import DeduplicatedEvents
from transforms.failed_events import count_failures, failed_events_block
from transforms.identity.aliases import refusal
from transforms.identity.devices import links_of_erased, resolve_devices
from transforms.identity.links import Link
from transforms.identity.plan import IdentityPlan, merged_profiles, plan_of
from transforms.profiles.rows import block
from transforms.records import Buckets, Record, pack, unpack

Erased = tuple[str, tuple[str, int]]
"""(message id of the deletion, (table, rows))."""


Known = TaggedOutput[Literal["known"], tuple[int, bytes]]
Anonymous = TaggedOutput[Literal["anonymous"], tuple[int, Iterable[bytes]]]
Tables = TaggedOutput[Literal["tables"], TableBlock]
ErasedRows = TaggedOutput[Literal["erased"], Erased]
Outputs: TypeAlias = Known | Anonymous | Tables | ErasedRows


class ResolvedIdentity(NamedTuple):
    """What leaves the stage.

    Attributes:
        plan: one IdentityPlan.
        known: (bucket, block of (profile key, event)) of anonymous events that turned out to be a user's.
        anonymous: (bucket, [block of the same]) of all events of some anonymous profiles.
        tables: rows of identity_links and of absorbed profiles.
        refused: rows of failed_events, of refused aliases.
        erased: what was erased, by deletion.
        links: (device, its links) of the devices that were ever linked to somebody who is erased.
    """

    plan: beam.PCollection[IdentityPlan]
    known: beam.PCollection[tuple[int, bytes]]
    anonymous: beam.PCollection[tuple[int, Iterable[bytes]]]
    tables: tuple[beam.PCollection[TableBlock], ...]
    refused: beam.PCollection[TableBlock]
    erased: beam.PCollection[Erased]
    links: beam.PCollection[tuple[str, list[Link]]]


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
        previous_ids = claims | "PreviousIds" >> beam.FlatMap(_previous_id) | "Each" >> beam.Distinct()
        users = (
            events.users | "ByUser" >> beam.GroupByKey() | "FindUsers" >> beam.FlatMap(_last_seen, AsList(previous_ids))
        )
        plan = (
            events.claims.pipeline
            | "Once" >> beam.Create([None])
            | "MakePlan"
            >> beam.Map(
                _plan,
                AsList(claims),
                AsList(users),
                AsList(events.latest),
                as_of=self._as_of,
                stitch_window_us=self._stitch_window_us,
                max_merges=self._max_merges,
            )
        )
        refused = claims | "RefuseAliases" >> beam.ParDo(_refuse, AsSingleton(plan))
        merged = plan | "MergedProfiles" >> beam.FlatMap(_merged_rows)
        by_device = events.devices | "ByDevice" >> beam.GroupByKey()
        links = by_device | "LinksOfErased" >> beam.FlatMap(_links_of_erased, AsSingleton(plan))
        devices = by_device | "ResolveDevices" >> (
            beam.ParDo(_ResolveDevices(self._buckets), AsSingleton(plan)).with_outputs(
                "known", "anonymous", "tables", "erased"
            )
        )
        tables = (merged, devices.tables)
        return ResolvedIdentity(plan, devices.known, devices.anonymous, tables, refused, devices.erased, links)


def _links_of_erased(bucket: tuple[int, Iterable[bytes]], plan: IdentityPlan) -> Iterator[tuple[str, list[Link]]]:
    if plan.erased:
        yield from links_of_erased(unpack(bucket[1]), plan).items()


def _previous_id(claim: Record) -> Iterator[str]:
    if claim[TYPE] == "alias":
        yield claim[PREVIOUS_ID]


def _last_seen(bucket: tuple[int, Iterable[bytes]], previous_ids: list[str]) -> Iterator[tuple[str, int]]:
    """Which previous ids are users, and when they were last seen."""
    if not previous_ids:
        return
    wanted = set(previous_ids)
    latest: dict[str, int] = {}
    for user_id, timestamp in unpack(bucket[1]):
        if user_id in wanted:
            latest[user_id] = max(timestamp, latest.get(user_id, timestamp))
    yield from latest.items()


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
    return plan_of(claims, dict(users), now, stitch_window_us=stitch_window_us, max_merges=max_merges)


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

    def process(self, bucket: tuple[int, Iterable[bytes]], plan: IdentityPlan) -> Iterator[Outputs]:
        found = resolve_devices(unpack(bucket[1]), plan)
        known = Buckets(self._buckets)
        for profile_id, event in found.known:
            known.add(profile_id[5:], (profile_id, event))
        for keyed in known.blocks():
            yield Known("known", keyed)
        if found.anonymous:
            yield Anonymous("anonymous", (bucket[0], [pack(found.anonymous)]))
        for table, rows in ((IDENTITY_LINKS, found.links), (PROFILES, found.absorbed)):
            if rows:
                yield Tables("tables", block(table, rows))
        for (deletion, name), count in found.erased.items():
            yield ErasedRows("erased", (deletion, (name, count)))
            counting.count(counting.ERASED, count if name == EVENTS.name else 0)

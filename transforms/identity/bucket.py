"""Decides, in a bounded job, whose each event is: the Beam side of `plan.py` and `links.py`.

After deduplication, before profiles are built. Aliases and deletions are resolved in one place, into the
`IdentityPlan`; anonymous events meet the links of their device in a bucket of the device's id.
"""

from collections.abc import Iterable, Iterator
from operator import itemgetter
from typing import Literal, NamedTuple, TypeAlias

import apache_beam as beam
from apache_beam.pvalue import AsList, AsSingleton, TaggedOutput
from apache_beam.typehints.decorators import no_annotations

from schemas.block import TableBlock
from schemas.event import MESSAGE_ID, TIMESTAMP, Failure
from schemas.tables import IDENTITY_LINKS, PROFILES
from transforms import counting
from transforms.deduplicate.bucket import Claim, DeduplicatedEvents
from transforms.failed_events import failed_events_block
from transforms.identity.aliases import Alias
from transforms.identity.links import Link
from transforms.identity.plan import Deletion, Device, IdentityPlan, make_plan
from transforms.profiles.rows import block, merged_profile
from transforms.records import Buckets, Record, unpack

Erased = tuple[str, tuple[str, int]]
"""(message id of the deletion, (table, rows))."""


Outputs: TypeAlias = (
    TaggedOutput[Literal["known"], tuple[int, bytes]]
    | TaggedOutput[Literal["anonymous"], tuple[int, Iterable[bytes]]]
    | TaggedOutput[Literal["tables"], TableBlock]
    | TaggedOutput[Literal["erased"], Erased]
)


class ResolvedIdentity(NamedTuple):
    """What leaves the stage.

    Attributes:
        plan: one IdentityPlan.
        known: (bucket, block of (profile key, event)) of anonymous events that turned out to be a user's.
        anonymous: (bucket, [block of the same]) of all events of some anonymous profiles.
        tables: rows of identity_links, of absorbed profiles and of refused aliases.
        erased: what was erased, by deletion.
    """

    plan: beam.PCollection[IdentityPlan]
    known: beam.PCollection[tuple[int, bytes]]
    anonymous: beam.PCollection[tuple[int, Iterable[bytes]]]
    tables: tuple[beam.PCollection[TableBlock], ...]
    erased: beam.PCollection[Erased]


class ResolveIdentity(beam.PTransform):
    """Identity of CONTRACT section 3 and erasure of section 5."""

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
        devices = (
            events.devices
            | "ByDevice" >> beam.GroupByKey()
            | "ResolveDevices"
            >> beam.ParDo(_ResolveDevices(self._buckets), AsSingleton(plan)).with_outputs(
                "known", "anonymous", "tables", "erased"
            )
        )
        tables = (refused, merged, devices.tables)
        return ResolvedIdentity(plan, devices.known, devices.anonymous, tables, devices.erased)


def _previous_id(claim: Claim) -> Iterator[str]:
    if claim[0] == "alias":
        yield claim[1][2]


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
    claims: list[Claim],
    users: list[tuple[str, int]],
    latest: list[int],
    *,
    as_of: int | None,
    stitch_window_us: int,
    max_merges: int,
) -> IdentityPlan:
    now = max(latest, default=0) if as_of is None else as_of
    aliases = [Alias(*claim[:4]) for kind, claim in claims if kind == "alias"]
    deletions = [Deletion(*claim) for kind, claim in claims if kind == "delete"]
    return make_plan(aliases, deletions, dict(users), now, stitch_window_us=stitch_window_us, max_merges=max_merges)


def _refuse(claim: Claim, plan: IdentityPlan) -> Iterator[TableBlock]:
    kind, fields = claim
    reason = plan.refused.get(fields[1]) if kind == "alias" else None
    if reason is not None:
        _, message_id, _, _, raw, source, received_at = fields
        error = "/previousId: expected a previousId that can be merged into userId"
        yield failed_events_block([Failure(reason, (error,), "identity", message_id, raw, {}, source, received_at)])


def _merged_rows(plan: IdentityPlan) -> Iterator[TableBlock]:
    if plan.roots:
        rows = [merged_profile(f"user:{user}", f"user:{root}", plan.as_of) for user, root in plan.roots.items()]
        yield block(PROFILES, rows)
    if plan.merged:
        yield block(IDENTITY_LINKS, [(a.previous_id, a.user_id, a.timestamp, a.message_id) for a in plan.merged])


class _ResolveDevices(beam.DoFn):
    """All anonymous events and links of the devices in a bucket."""

    def __init__(self, buckets: int) -> None:
        self._buckets = buckets

    def process(self, bucket: tuple[int, Iterable[bytes]], plan: IdentityPlan) -> Iterator[Outputs]:
        events: dict[str, list[Record]] = {}
        links: dict[str, list[Link]] = {}
        for device, event, link in unpack(bucket[1]):
            if link is None:
                events.setdefault(device, []).append(event)
            elif stands := plan.stands(link[1], of_previous=link[3]):
                links.setdefault(device, []).append(Link(link[0], link[1], link[2], stands))
        resolver = _Resolver(plan, Buckets(self._buckets))
        for device in sorted(events.keys() | links.keys()):
            resolver.take(device, events.get(device, []), links.get(device, []))
        yield from resolver.outputs(bucket[0])


class _Resolver:
    """What one bucket's devices come to."""

    def __init__(self, plan: IdentityPlan, known: Buckets) -> None:
        self._plan = plan
        self._known = known
        self._anonymous = Buckets(1)
        self._links: list[Record] = []
        self._absorbed: list[Record] = []
        self._erased: dict[tuple[str, str], int] = {}

    def take(self, device_id: str, events: list[Record], links: list[Link]) -> None:
        plan = self._plan
        device = Device(plan, links)
        if plan.erased:
            for link in links:
                self._count_erased(plan.erased_by(link.user_id, link.timestamp), IDENTITY_LINKS.name)
        self._links += [(device_id, link.user_id, link.timestamp, link.message_id) for link in device.links]
        own, stitched = False, None
        for event in sorted(events, key=itemgetter(TIMESTAMP, MESSAGE_ID)) if links else events:
            user, deletion = device.owner(event[TIMESTAMP]) if links else (None, None)
            if deletion is not None:
                self._count_erased(deletion, "events")
            elif user is None:
                own = own or event[TIMESTAMP] <= plan.as_of
                self._anonymous.add("", (f"anon:{device_id}", event))
            else:
                self._known.add(user, (f"user:{user}", event))
                if stitched is None and device.is_stitched(event[TIMESTAMP]) and event[TIMESTAMP] <= plan.as_of:
                    stitched = user
        if stitched is not None and not own:
            self._absorbed.append(merged_profile(f"anon:{device_id}", f"user:{plan.root(stitched)}", plan.as_of))

    def _count_erased(self, deletion: str | None, table: str) -> None:
        if deletion is not None:
            self._erased[deletion, table] = self._erased.get((deletion, table), 0) + 1

    def outputs(self, bucket: int) -> Iterator[Outputs]:
        for keyed in self._known.blocks():
            yield TaggedOutput("known", keyed)
        for _, packed in self._anonymous.blocks():
            yield TaggedOutput("anonymous", (bucket, [packed]))
        if self._links:
            yield TaggedOutput("tables", block(IDENTITY_LINKS, self._links))
        if self._absorbed:
            yield TaggedOutput("tables", block(PROFILES, self._absorbed))
        for (deletion, table), rows in self._erased.items():
            yield TaggedOutput("erased", (deletion, (table, rows)))
            counting.count(counting.ERASED, rows if table == "events" else 0)

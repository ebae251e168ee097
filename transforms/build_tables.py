"""The graph of every decision of a bounded job: parsed events in, blocks of all tables out.

Comes after parsing, before the output.
"""

from typing import Any

import apache_beam as beam
from apache_beam.typehints.decorators import no_annotations

from schemas.block import TableBlock
from transforms.accounts.bucket import BuildAccounts
from transforms.deduplicate.bucket import DeduplicateEvents, WriteRetractions
from transforms.identity.aliases import DEFAULT_MAX_MERGES
from transforms.identity.bucket import ResolveIdentity
from transforms.identity.erasure import EraseFailed, WriteReceipts
from transforms.identity.links import DEFAULT_STITCH_WINDOW_US
from transforms.parse.bucket import ParsedEvents
from transforms.parse.events import EventParser
from transforms.profiles.bucket import BuildProfiles, take_merged, take_users_or_devices
from transforms.segments.language import ast


class BuildTables(beam.PTransform[ParsedEvents, beam.PCollection[TableBlock]]):
    """Deduplicates, finds out whose each event is, and builds profiles, segments and accounts.

    Arguments as of `BuildTableParts`.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__()
        self._parts = BuildTableParts(*arguments, **options)

    @no_annotations
    def expand(self, parsed: ParsedEvents) -> beam.PCollection[TableBlock]:
        united: beam.PCollection[TableBlock] = parsed | "Parts" >> self._parts | "Tables" >> beam.Flatten()
        return united


class BuildTableParts(beam.PTransform[ParsedEvents, tuple[beam.PCollection[TableBlock], ...]]):
    """The same in several collections: what takes each of them runs where its blocks are made.

    Profiles of users and of devices are built side by side once all devices are resolved, the largest bucket first;
    those of users that aliases merged one hop later, in the bucket of the user that they became; accounts last, from
    what their users tell.
    Receipts come after everything that an erasure can take, and what failed once it is known who is erased.

    Args:
        definitions: segments and computed traits.
        buckets: how many buckets there are; `transforms.records.bucket_count` says how many an input needs.
        as_of: the instant at which everything is told, microseconds; None: the latest event's.
        parser: what parsed the events.
        stitch_window_us: how long before its first link a device's events become the user's, microseconds.
        max_merges: how many users aliases may put into one profile.
    """

    def __init__(
        self,
        definitions: ast.Definitions,
        buckets: int,
        as_of: int | None = None,
        *,
        parser: EventParser,
        stitch_window_us: int = DEFAULT_STITCH_WINDOW_US,
        max_merges: int = DEFAULT_MAX_MERGES,
    ) -> None:
        super().__init__()
        self._definitions = definitions
        self._buckets = buckets
        self._as_of = as_of
        self._parser = parser
        self._stitch_window_us = stitch_window_us
        self._max_merges = max_merges

    @no_annotations
    def expand(self, parsed: ParsedEvents) -> tuple[beam.PCollection[TableBlock], ...]:
        buckets, definitions = self._buckets, self._definitions
        events = parsed.events | "DeduplicateEvents" >> DeduplicateEvents(self._parser, buckets, self._as_of)
        identity = events | "ResolveIdentity" >> ResolveIdentity(
            buckets, self._as_of, self._stitch_window_us, self._max_merges
        )
        facts = (identity.plan, events.suspects)
        of_owner = {
            "known": events.known,
            "exact": events.exact_known,
            "resolved": identity.known,
            "anonymous": identity.anonymous,
        }
        by_owner = of_owner | "ByOwner" >> beam.CoGroupByKey()
        profiles = (by_owner, *facts) | "BuildProfiles" >> BuildProfiles(definitions, buckets, 0, take_users_or_devices)
        by_root = profiles.merged | "ByRoot" >> beam.GroupByKey()
        merged = (by_root, *facts) | "BuildMerged" >> BuildProfiles(definitions, buckets, 2 * buckets, take_merged)
        erased = (identity.erased, profiles.erased) | "Erased" >> beam.Flatten()
        users = (profiles.accounts, merged.accounts) | "Accounts" >> beam.Flatten()
        by_account = users | "ByAccount" >> beam.GroupByKey()
        accounts = (by_account, identity.plan) | "BuildAccounts" >> BuildAccounts(definitions)
        receipts = (events.claims, erased, identity.plan) | "WriteReceipts" >> WriteReceipts()
        retractions = events | "WriteRetractions" >> WriteRetractions()
        failed = [
            blocks | f"EraseFailed{number}" >> EraseFailed(identity.plan, identity.links)
            for number, blocks in enumerate((parsed.failed, events.failed, identity.refused, retractions), start=1)
        ]
        return (
            *failed,
            *identity.tables,
            profiles.tables,
            merged.tables,
            accounts,
            receipts,
        )

"""The graph of every decision of a bounded job: parsed events in, blocks of all tables out.

Comes after parsing, before the output.
"""

from collections.abc import Sequence

import apache_beam as beam
from apache_beam.typehints.decorators import no_annotations

from schemas.block import TableBlock
from transforms.accounts.bucket import BuildAccounts
from transforms.deduplicate.bucket import DeduplicateEvents, WriteRetractions
from transforms.identity.aliases import DEFAULT_MAX_MERGES
from transforms.identity.bucket import ResolveIdentity
from transforms.identity.erasure import EraseFailed, WriteReceipts
from transforms.identity.links import DEFAULT_STITCH_WINDOW_US
from transforms.profiles.bucket import BuildProfiles
from transforms.segments.language import ast


class BuildTables(beam.PTransform[beam.PCollection[tuple[int, bytes]], beam.PCollection[TableBlock]]):
    """Deduplicates, finds out whose each event is, and builds profiles, segments and accounts.

    Anonymous profiles are built where their devices are resolved; users' in the bucket of their id; users that aliases
    merged one hop later, in the bucket of the user that they became; accounts last, from what their users tell.
    Receipts come after everything that an erasure can take, and what failed once it is known who is erased.

    Args:
        definitions: segments and computed traits.
        buckets: how many buckets there are; `transforms.records.bucket_count` says how many an input needs.
        as_of: the instant at which everything is told, microseconds; None: the latest event's.
        failed: rows of failed_events of what could not be parsed; they come out again, but for what is erased of them.
        stitch_window_us: how long before its first link a device's events become the user's, microseconds.
        max_merges: how many users aliases may put into one profile.
    """

    def __init__(
        self,
        definitions: ast.Definitions,
        buckets: int,
        as_of: int | None = None,
        *,
        failed: Sequence[beam.PCollection[TableBlock]] = (),
        stitch_window_us: int = DEFAULT_STITCH_WINDOW_US,
        max_merges: int = DEFAULT_MAX_MERGES,
    ) -> None:
        super().__init__()
        self._failed = tuple(failed)
        self._definitions = definitions
        self._buckets = buckets
        self._as_of = as_of
        self._stitch_window_us = stitch_window_us
        self._max_merges = max_merges

    @no_annotations
    def expand(self, parsed: beam.PCollection[tuple[int, bytes]]) -> beam.PCollection[TableBlock]:
        buckets, definitions = self._buckets, self._definitions
        events = parsed | "DeduplicateEvents" >> DeduplicateEvents(buckets, self._as_of)
        identity = events | "ResolveIdentity" >> ResolveIdentity(
            buckets, self._as_of, self._stitch_window_us, self._max_merges
        )
        by_user = (events.known, identity.known) | "Users" >> beam.Flatten() | "ByUser" >> beam.GroupByKey()
        anonymous = (identity.anonymous, identity.plan) | "BuildAnonymous" >> BuildProfiles(definitions, buckets, 0)
        known = (by_user, identity.plan) | "BuildKnown" >> BuildProfiles(definitions, buckets, buckets)
        by_root = known.merged | "ByRoot" >> beam.GroupByKey()
        merged = (by_root, identity.plan) | "BuildMerged" >> BuildProfiles(
            definitions, buckets, 2 * buckets, regrouped=True
        )
        erased = (identity.erased, known.erased) | "Erased" >> beam.Flatten()
        users = (anonymous.accounts, known.accounts, merged.accounts) | "Accounts" >> beam.Flatten()
        by_account = users | "ByAccount" >> beam.GroupByKey()
        accounts = (by_account, identity.plan) | "BuildAccounts" >> BuildAccounts(definitions)
        receipts = (events.claims, erased, identity.plan) | "WriteReceipts" >> WriteReceipts()
        retractions = events | "WriteRetractions" >> WriteRetractions()
        failed = [
            blocks | f"EraseFailed{number}" >> EraseFailed(identity.plan, identity.links)
            for number, blocks in enumerate((*self._failed, events.failed, identity.refused, retractions), start=1)
        ]
        tables = (
            *failed,
            *identity.tables,
            anonymous.tables,
            known.tables,
            merged.tables,
            accounts,
            receipts,
        )
        united: beam.PCollection[TableBlock] = tables | "Tables" >> beam.Flatten()
        return united

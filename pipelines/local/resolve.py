"""From `--input` to histories by profile, on this machine: what `pipelines.profiles` does up to its rules.

    with resolve_events(inputs, settings..., report=say) as events:
        for answer in events.ask(work, question): ...

The events stay in a temporary folder, so that another question costs no reading.
"""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from pipelines.io.files.ranges import plan_ranges
from pipelines.io.files.sizes import input_bytes
from pipelines.io.locations import BigQueryInput, DuckDBInput, FileInput, InputLocation
from pipelines.io.tables.event_rows import TableInput, table_bytes
from pipelines.local.stages import Read, Settings, Stages, bucket_of_profile
from pipelines.local.workers import Workers
from schemas.errors import InputError
from schemas.event import PREVIOUS_ID
from transforms.deduplicate.copies import tell_retractions
from transforms.identity.aliases import DEFAULT_MAX_MERGES
from transforms.identity.links import DEFAULT_STITCH_WINDOW_US
from transforms.identity.plan import IdentityPlan, plan_of
from transforms.parse import EventParser
from transforms.records import Record, bucket_count

Answer = TypeVar("Answer")
Report = Callable[[str, int, int], None]
"""`report(what is being done, pieces done, pieces in all)`."""

_WORTH_PROCESSES_BYTES = 16 * 1024 * 1024
"""Below this one process is done before others have started."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of the records of the input."""

    read: int
    duplicates: int
    failed: Counter[str]


class ResolvedEvents:
    """Every event with the profile that it belongs to. `as_of` in microseconds."""

    def __init__(
        self, workers: Workers[Stages], buckets: int, plan: IdentityPlan, counts: Counts, report: Report
    ) -> None:
        self._workers = workers
        self._buckets = buckets
        self._report = report
        self.plan = plan
        self.counts = counts

    @property
    def as_of(self) -> int:
        """The instant at which everything is told."""
        return self.plan.as_of

    def ask(self, work: Callable[..., Answer], *arguments: Any) -> Iterator[Answer]:
        """`work(histories, *arguments)` for each part of the profiles; histories: (profile id, events in order)."""
        yield from self._ask("evaluating", range(self._buckets), work, *arguments)

    def history(self, profile_id: str) -> list[Record] | None:
        """A profile's events, in order; None where there is no such profile."""
        bucket = bucket_of_profile(profile_id, self._buckets)
        found = [records for records in self._ask("searching", [bucket], _find, profile_id) if records is not None]
        return found[0] if found else None

    def _ask(self, what: str, buckets: Sequence[int], work: Callable[..., Answer], *arguments: Any) -> Iterator[Answer]:
        for done, answer in enumerate(self._workers.map(_answer, buckets, self.plan, work, *arguments), start=1):
            self._report(what, done, len(buckets))
            yield answer


@contextmanager
def resolve_events(
    inputs: Sequence[InputLocation],
    parser: EventParser,
    as_of: int | None,
    report: Report,
    *,
    stitch_window_us: int = DEFAULT_STITCH_WINDOW_US,
    max_merges: int = DEFAULT_MAX_MERGES,
    processes: int | None = None,
) -> Iterator[ResolvedEvents]:
    """Reads everything, drops duplicates, resolves identity.

    Args:
        inputs: files and `events` tables. Tables alone are taken at their word: an event belongs to the profile that
            they say. Together with files their events are identified again, as the main job does it.
        parser: for files.
        as_of: None: the latest event.
        report: told about progress.
        stitch_window_us: how long before its first link a device's events become the user's, microseconds.
        max_merges: how many users aliases may put into one.
        processes: how many to use; None: one per core where that is worth it.

    Raises:
        InputError: an input that has no end.
    """
    files = [location for location in inputs if isinstance(location, FileInput)]
    tables = [location for location in inputs if isinstance(location, DuckDBInput | BigQueryInput)]
    for location in inputs:
        if location not in files and location not in tables:
            raise InputError(f"--input {location.text}: expected files, or the events table of duckdb: or bigquery:")
    size = input_bytes(files) + table_bytes(tables)
    buckets = bucket_count(size)
    if processes is None:
        processes = (os.cpu_count() or 1) if size > _WORTH_PROCESSES_BYTES else 1
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="tidemark-"))
        settings = Settings(folder, buckets, parser, as_of)
        workers = stack.enter_context(Workers(processes, Stages, settings))
        resolution = _Resolution(workers, buckets, report)
        if files:
            plan, counts = resolution.from_records(files, tables, as_of, stitch_window_us, max_merges)
        else:
            plan, counts = resolution.from_tables(tables, as_of)
        yield ResolvedEvents(workers, buckets, plan, counts, report)


class _Resolution:
    """The stages, one after the other."""

    def __init__(self, workers: Workers[Stages], buckets: int, report: Report) -> None:
        self._workers = workers
        self._buckets = range(buckets)
        self._report = report

    def _each(self, what: str, work: Callable[..., Answer], items: Sequence[Any], *arguments: Any) -> Iterator[Answer]:
        for done, result in enumerate(self._workers.map(work, items, *arguments), start=1):
            self._report(what, done, len(items))
            yield result

    def from_records(
        self,
        files: Sequence[FileInput],
        tables: Sequence[TableInput],
        as_of: int | None,
        stitch_window_us: int,
        max_merges: int,
    ) -> tuple[IdentityPlan, Counts]:
        read = list(self._each("reading", Stages.parse, plan_ranges(files)))
        read += self._each("reading tables", Stages.parse_table, tables)
        claims = list(self._each("removing duplicates", Stages.deduplicate, self._buckets))
        records = [record for claim in claims for record in claim.records]
        previous_ids = frozenset(record[PREVIOUS_ID] for record in records) - {None}
        last_seen: dict[str, int] = {}
        for found in self._workers.map(Stages.last_seen, self._buckets if previous_ids else (), previous_ids):
            last_seen |= found
        now = max((claim.latest for claim in claims), default=0) if as_of is None else as_of
        plan = plan_of(records, last_seen, now, stitch_window_us=stitch_window_us, max_merges=max_merges)
        for _ in self._each("resolving identity", Stages.resolve_devices, self._buckets, plan):
            pass
        homes = {bucket_of_profile(f"user:{user}", len(self._buckets)) for pair in plan.roots.items() for user in pair}
        for _ in self._each("merging profiles", Stages.move_merged, sorted(homes), plan):
            pass
        retracts = [record for claim in claims for record in claim.retracts]
        retracted = {message_id: taken for claim in claims for message_id, taken in claim.retracted.items()}
        final = tell_retractions(retracts, retracted).failures
        failed = Counter([*plan.refused.values(), *(failure.reason for failure in final)])
        for failures in (*(result.failures for result in read), *(claim.failures for claim in claims)):
            failed += failures
        duplicates = sum(claim.duplicates for claim in claims)
        return plan, Counts(sum(result.records for result in read), duplicates, failed)

    def from_tables(self, tables: Sequence[TableInput], as_of: int | None) -> tuple[IdentityPlan, Counts]:
        read: list[Read] = list(self._each("reading", Stages.read_table, tables))
        latest = max((result.latest for result in read if result.latest is not None), default=0)
        records = sum(result.records for result in read)
        plan = plan_of([], {}, latest if as_of is None else as_of)
        return plan, Counts(records, 0, Counter())


def _answer(stages: Stages, bucket: int, plan: IdentityPlan, work: Callable[..., Answer], *arguments: Any) -> Answer:
    return work(stages.histories(bucket, plan), *arguments)


def _find(histories: Iterator[tuple[str, list[Record]]], wanted: str) -> list[Record] | None:
    return next((records for profile_id, records in histories if profile_id == wanted), None)

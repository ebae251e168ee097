"""From `--input` to the events of profiles, on this machine: what `pipelines.profiles` does up to its rules.

    with resolve_events(inputs, settings..., report=say) as events:
        for answer in events.ask(work, question): ...

The events stay in a temporary folder, so that another question costs no reading.
"""

from __future__ import annotations

import os
import tempfile
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from pipelines.io.files.ranges import plan_ranges
from pipelines.io.files.sizes import input_bytes
from pipelines.io.locations import BigQueryInput, DuckDBInput, FileInput, InputLocation
from pipelines.io.tables.event_rows import TableInput, table_bytes
from pipelines.local.stages import Read, Settings, Stages
from pipelines.local.workers import Workers
from schemas.errors import InputError
from transforms.columns.blocks import bucket_of
from transforms.columns.events import records_of
from transforms.columns.message_ids import repeated
from transforms.deduplicate.copies import Deduplicated, tell_retractions
from transforms.identity.aliases import DEFAULT_MAX_MERGES
from transforms.identity.links import DEFAULT_STITCH_WINDOW_US
from transforms.identity.plan import IdentityPlan, plan_of
from transforms.parse import EventParser
from transforms.profiles.columns import OrderedEvents
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
        """`work(parts, *arguments)` for each bucket; parts: the events of some of its profiles, an `OrderedEvents`."""
        yield from self._ask("evaluating", range(self._buckets), work, *arguments)

    def history(self, profile_id: str) -> list[Record] | None:
        """A profile's events, in order; None where there is no such profile."""
        bucket = bucket_of(profile_id[5:], self._buckets)
        found = [records for records in self._ask("searching", [bucket], _find, profile_id) if records is not None]
        return found[0] if found else None

    def _ask(self, what: str, buckets: Sequence[int], work: Callable[..., Answer], *arguments: Any) -> Iterator[Answer]:
        for done, answer in enumerate(self._workers.map(_answer, buckets, self.as_of, work, *arguments), start=1):
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
    if processes is None:
        processes = (os.cpu_count() or 1) if size > _WORTH_PROCESSES_BYTES else 1
    buckets = bucket_count(size, least=processes)
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

    def _each(self, what: str, work: Callable[..., Answer], items: Sequence[Any], *arguments: Any) -> list[Answer]:
        found = []
        for done, result in enumerate(self._workers.map(work, items, *arguments), start=1):
            self._report(what, done, len(items))
            found.append(result)
        return found

    def from_records(
        self,
        files: Sequence[FileInput],
        tables: Sequence[TableInput],
        as_of: int | None,
        stitch_window_us: int,
        max_merges: int,
    ) -> tuple[IdentityPlan, Counts]:
        read = self._each("reading", Stages.parse, plan_ranges(files))
        read += self._each("reading tables", Stages.parse_table, tables)
        suspects = [repeated(numbers for piece in read for numbers in piece.ids).tobytes()]
        retracted = frozenset[str]().union(*(piece.retracted for piece in read))
        previous_ids = frozenset[str]().union(*(piece.previous_ids for piece in read))
        buckets = self._buckets
        seen = self._each("looking for duplicates", Stages.extract_copies, buckets, suspects, previous_ids)
        compared = self._each("removing duplicates", Stages.compare_copies, buckets, retracted, previous_ids)
        seen += [one.seen for one in compared]
        now = max((one.latest for one in seen if one.latest is not None), default=0) if as_of is None else as_of
        last_seen = dict(sorted(pair for one in seen for pair in one.users.items()))  # of one user the latest
        claims = [claim for one in compared for claim in one.claims]
        plan = plan_of(claims, last_seen, now, stitch_window_us=stitch_window_us, max_merges=max_merges)
        self._each("resolving identity", Stages.resolve_devices, buckets, plan, suspects)
        self._each("gathering profiles", Stages.gather_users, buckets, plan, suspects)
        return plan, _counts(read, [one.copies for one in compared], plan)

    def from_tables(self, tables: Sequence[TableInput], as_of: int | None) -> tuple[IdentityPlan, Counts]:
        read = self._each("reading", Stages.read_table, tables)
        latest = max((at for _, at in read if at is not None), default=0)
        plan = plan_of([], {}, latest if as_of is None else as_of)
        return plan, Counts(sum(records for records, _ in read), 0, Counter())


def _counts(read: Sequence[Read], copies: Sequence[Deduplicated], plan: IdentityPlan) -> Counts:
    retracted = {message_id: taken for of_bucket in copies for message_id, taken in of_bucket.retracted.items()}
    final = tell_retractions([retract for of_bucket in copies for retract in of_bucket.retracts], retracted).failures
    conflicts = [failure for of_bucket in copies for failure in of_bucket.failures]
    failed = Counter([*plan.refused.values(), *(failure.reason for failure in (*final, *conflicts))])
    for piece in read:
        failed.update(piece.failures)
    return Counts(sum(piece.records for piece in read), sum(of_bucket.duplicates for of_bucket in copies), failed)


def _answer(stages: Stages, bucket: int, as_of: int, work: Callable[..., Answer], *arguments: Any) -> Answer:
    return work(stages.profiles(bucket, as_of), *arguments)


def _find(parts: Iterator[OrderedEvents], wanted: str) -> list[Record] | None:
    for part in parts:
        place = bisect_left(part.profile_ids, wanted)
        if wanted in part.profile_ids[place : place + 1]:
            return records_of(part.of(place))
    return None

"""What a person reads when the job is done: plain text, at most 100 columns wide, no personal data but profile ids."""

from __future__ import annotations

import os
import shlex
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import duckdb

from pipelines.io.files.parquet_store import MANIFEST
from pipelines.io.outputs import BigQueryOutput, DuckDBOutput, Output, StoreOutput
from pipelines.io.tables.query import open_tables
from pipelines.options.profiles import ProfilesOptions
from pipelines.words.event import tell_instant
from pipelines.words.summary_facts import (
    Member,
    Outcomes,
    TableFacts,
    count_outcomes,
    count_unknown,
    failures_by_reason,
    named_counters,
    read_ahead,
    read_facts,
)
from schemas.text import plain, printable
from transforms import counting

WIDTH: Final = 100
_BAR: Final = 30
_SAMPLES: Final = 12
_CAUSES: Final = 2
_MOST_SEGMENTS: Final = 100
_MOST_NAMES: Final = 3
_LONGEST_ID: Final = 60


def print_summary(options: ProfilesOptions, counters: Mapping[str, int], elapsed_seconds: float) -> None:
    """Prints what a job did, from its counters and from the tables that it wrote.

    Args:
        options: what the job was asked to do.
        counters: of the job that has ended, by name.
        elapsed_seconds: how long it took.
    """
    text = printable("\n".join(summary_lines(options, counters, elapsed_seconds)))
    # A terminal that cannot show a character gets another one; a finished job does not fail for it.
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "replace").decode(encoding))


def summary_lines(options: ProfilesOptions, counters: Mapping[str, int], elapsed_seconds: float) -> Iterator[str]:
    """The summary, line by line."""
    # What BigQuery holds is not fetched for this.
    nothing: AbstractContextManager[Any] = nullcontext()
    with nothing if isinstance(options.output, BigQueryOutput) else open_tables(options.output) as tables:
        outcomes = count_outcomes(counters, None if tables is None else failures_by_reason(tables))
        facts = None if tables is None else read_facts(tables, samples=_SAMPLES, causes=_CAUSES)
        notes = [*_notes(counters), *(() if tables is None or facts is None else _table_notes(options, tables, facts))]
    yield from _events(outcomes, facts, elapsed_seconds)
    yield from ["", *notes] if notes else []
    yield ""
    if facts is None:
        yield f"Profiles        {counters.get(counting.PROFILES, 0):>11,}"
    else:
        yield from _profiles(facts)
        yield from _segments(options, facts)
    yield ""
    yield f"Output  {options.output}"
    yield from _try(options.output, facts)


def _events(outcomes: Outcomes, facts: TableFacts | None, elapsed_seconds: float) -> Iterator[str]:
    rate = f"{outcomes.read / max(elapsed_seconds, 0.001):,.0f}"
    yield f"Done in {elapsed_seconds:,.1f} seconds, {rate} events a second."
    if facts is not None and facts.as_of is not None:
        yield f"Everything is told as of {tell_instant(facts.as_of, 0)} UTC; so are all times below."
    yield ""
    failed = sum(outcomes.failed.values())
    yield f"Events read     {outcomes.read:>11,}"
    for name, number in (
        ("accepted", outcomes.accepted),
        ("duplicate", outcomes.duplicate),
        ("erased", outcomes.erased),
        *([("retracted", outcomes.retracted)] if outcomes.retracted else []),
        ("failed", failed),
    ):
        share = f"  {number / outcomes.read:6.1%}" if outcomes.read else ""
        yield f"  {name:<13} {number:>11,}{share}"
    for reason, number in outcomes.failed.items():
        yield f"    {reason:<23} {number:>8,}"


def _notes(counters: Mapping[str, int]) -> Iterator[str]:
    """What is worth a look, in a line or two each."""
    unplanned = named_counters(counters, counting.UNPLANNED)
    dropped = named_counters(counters, counting.DROPPED)
    unreadable = named_counters(counters, counting.NOT_NORMALISED)
    if unplanned:
        names = _some({plain(name): number for name, number in unplanned.items()})
        yield from _wrapped(f"Track events that no schema names: {names}", "Note: ")
    if dropped:
        names = _some({plain(name): number for name, number in dropped.items()})
        yield from _wrapped(f"Properties left out since they break their schema: {names}", "Note: ")
    if unreadable:
        yield from _wrapped(f"Profiles with a trait that its column cannot hold: {_some(unreadable)}", "Note: ")


def _table_notes(options: ProfilesOptions, tables: duckdb.DuckDBPyConnection, facts: TableFacts) -> Iterator[str]:
    """The same, of what the tables say."""
    now = datetime.now(UTC)
    if options.as_of is None and facts.as_of is not None and facts.as_of > now:
        ahead = read_ahead(tables, now)
        latest = "an instant" if ahead.latest_before is None else f"{ahead.latest_before:%Y-%m-%dT%H:%M:%SZ}"
        number = f"{ahead.events:,} events lie" if ahead.events != 1 else "1 event lies"
        yield from _wrapped(
            f"{number} in the future of this machine's clock, and the latest of all decides what everything is told as "
            f"of: {tell_instant(facts.as_of, 0)}. For windows that end now, give --as_of {latest}",
            "Note: ",
        )
    for segment in options.definitions.segments:
        unknown = count_unknown(tables, segment.members) if segment.members else 0
        if unknown:
            of = f"{unknown:,} of the {len(segment.members or ()):,} ids of its list"
            yield from _wrapped(f"{plain(segment.name)}: no event has {of}", "Note: ")


def _some(numbers: Mapping[str, int]) -> str:
    first = [f"{name} {number:,}" for name, number in list(numbers.items())[:_MOST_NAMES]]
    return ", ".join(first) + (f" and {len(numbers) - _MOST_NAMES} more" if len(numbers) > _MOST_NAMES else "")


def _profiles(facts: TableFacts) -> Iterator[str]:
    yield f"Profiles        {facts.users + facts.anonymous:>11,}"
    for name, number in (("users", facts.users), ("anonymous", facts.anonymous)):
        yield f"  {name:<13} {number:>11,}"
    if facts.merged:
        yield f"and merged      {facts.merged:>11,}  rows that name the profile that took theirs"
    if facts.accounts:
        yield f"Accounts        {facts.accounts:>11,}"


def _segments(options: ProfilesOptions, facts: TableFacts) -> Iterator[str]:
    shown: list[str] = []
    of_people = facts.users + facts.anonymous
    for subject, title, whole, of in (
        ("users", "Segments", "of all profiles", of_people),
        ("accounts", "Segments of accounts", "of all accounts", facts.accounts),
    ):
        names = [segment.name for segment in options.definitions.segments if segment.of == subject]
        members = {name: facts.members.get(name, 0) for name in names}
        largest = sorted(members, key=lambda name: (-members[name], name))[:_MOST_SEGMENTS]
        if largest:
            width = max(min(max(map(len, largest)), 40), len(title) - 2)
            yield from ["", f"{title:<{width + 2}}  members  {whole}"]
            yield from _shares({name: members[name] for name in largest}, of, width)
        if len(members) > len(largest):
            yield f"  and {len(members) - len(largest):,} smaller ones"
        shown += largest
    yield from _samples(options, facts, shown)


def _shares(members: Mapping[str, int], of: int, width: int) -> Iterator[str]:
    """A line for each segment, the largest first, with its share of all that could be in it."""
    most, bar = max(members.values()), _bar_character()
    for name, number in members.items():
        share, length = number / max(of, 1), -(-number * _BAR // max(most, 1))
        yield f"  {name:<{width}}  {number:>7,}  {share:6.1%}  {bar * length}".rstrip()


def _samples(options: ProfilesOptions, facts: TableFacts, shown: Sequence[str]) -> Iterator[str]:
    static = {segment.name for segment in options.definitions.segments if segment.members is not None}
    if facts.samples:
        yield ""
        yield "Why? Of each segment the member that came last:"
    for name in shown:
        if name in facts.samples:
            yield from _why(name, facts.samples[name], facts.as_of.year if facts.as_of else 0, listed=name in static)


def _why(segment: str, member: Member, year: int, *, listed: bool) -> Iterator[str]:
    yield f"  {segment}: {plain(member.profile_id, _LONGEST_ID)}, since {tell_instant(member.since, year)}"
    if listed:
        told = "is on the list"
    else:
        told = "; ".join(f"{cause.words} on {tell_instant(cause.at, year)}" for cause in member.causes)
        told = told or "for what it has not done"
        told += f"; and {member.others} more event{'s' if member.others > 1 else ''}" if member.others else ""
    yield from _wrapped(told, "    ")


def _try(output: Output, facts: TableFacts | None) -> Iterator[str]:
    """A query that works when it is pasted into a shell."""
    if isinstance(output, BigQueryOutput):
        yield "Try     select segment, count(*) from memberships where exited_at is null group by segment"
        return
    if isinstance(output, StoreOutput):
        yield f"Tables  the files that {output.location}/{MANIFEST} names; all commands read them by it"
        return
    where = ""
    if facts is not None and facts.members:
        where = f"segment = {_in_double_quotes(_sql_text(next(iter(facts.members))))} and "
    if isinstance(output, DuckDBOutput):
        connect, table = f"duckdb.connect({output.path!r}, read_only=True)", "memberships"
    else:
        connect, table = "duckdb", _sql_text(str(Path(output.directory) / "memberships" / "*.parquet"))
    yield "Try"
    yield f"  {_python()} -c \"import duckdb; print({_in_double_quotes(connect)}.sql('''"
    yield "    select profile_id, entered_at, expires_at, message_ids"
    yield f"    from {_in_double_quotes(table)}"
    yield f"    where {where}exited_at is null"
    yield "    order by entered_at desc limit 5'''))\""


def _sql_text(text: str) -> str:
    """An SQL literal inside Python's text in three quotes: nothing in it ends that text or escapes anything there."""
    escaped = text.replace("'", "''").replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _python() -> str:
    """The Python that runs, as one would type it here."""
    here = os.path.relpath(sys.executable)
    return shlex.quote(sys.executable if here.startswith("..") else here)


def _in_double_quotes(text: str) -> str:
    """Python code inside a shell's double quotes. An exclamation mark is written as a number: bash would expand it."""
    code = text.replace("!", "\\x21")
    return "".join(f"\\{character}" if character in '\\"$`' else character for character in code)


def _wrapped(text: str, start: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=start, subsequent_indent=" " * len(start), break_long_words=False)


def _bar_character() -> str:
    try:
        "█".encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return "#"
    return "█"

"""Everything that the report shows, gathered from the tables and, where they are given, the definitions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import orjson

from pipelines.reporting import measures
from pipelines.reporting.activations import Activated, read_activations
from pipelines.reporting.measures import FailedReason, Headline, SegmentLife
from schemas.tracking_plan import TrackingPlan
from transforms.explain import advice
from transforms.explain.mentioned import Mentioned, Property, mentioned
from transforms.explain.statistics import Overlap
from transforms.segments.language import ast
from transforms.segments.language.resolve import needed_definitions
from transforms.segments.values import path_getter, split_path, trait_value

_ROWS_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Report:
    """Numbers only. `unplanned`: track events that the tracking plan does not name, with their counts."""

    headline: Headline
    segments: tuple[SegmentLife, ...]
    overlaps: dict[tuple[str, str], Overlap]
    funnel: tuple[tuple[str, int], ...]
    event_days: dict[str, Counter[int]]
    event_names: Counter[tuple[str, str]]
    failures: tuple[FailedReason, ...]
    filled: tuple[tuple[str, float], ...]
    quality: tuple[tuple[str, int, int], ...]
    unplanned: tuple[tuple[str, int], ...]
    warnings: tuple[str, ...]
    activations: tuple[Activated, ...] = ()


def read_report(tables: duckdb.DuckDBPyConnection, definitions: ast.Definitions | None, plan: TrackingPlan) -> Report:
    """Asks the tables. `definitions`: the job's, for warnings about rules and for segments that nobody entered."""
    headline = measures.read_headline(tables)
    names = [segment.name for segment in definitions.segments] if definitions is not None else []
    segments = measures.read_segments(tables, names, headline.as_of)
    overlaps = measures.read_overlaps(tables, segments)
    event_names = measures.read_event_names(tables)
    planned = plan.event_names()
    tracks = [(name, count) for (kind, name), count in event_names.items() if kind == "track" and name not in planned]
    of_accounts = frozenset[str]()
    if definitions is not None:
        of_accounts = frozenset(segment.name for segment in definitions.about("accounts").segments)
    warnings = list(_warnings(segments, overlaps, headline, of_accounts))
    if definitions is not None:
        warnings += _rule_warnings(tables, definitions, event_names, headline.as_of)
    return Report(
        headline,
        tuple(segments),
        overlaps,
        tuple(measures.read_funnel(tables)),
        measures.read_event_days(tables),
        event_names,
        tuple(measures.read_failures(tables)),
        tuple(measures.read_filled(tables)),
        tuple(measures.read_quality(tables)),
        tuple(sorted(tracks, key=lambda pair: (-pair[1], pair[0]))),
        tuple(warnings),
        tuple(read_activations(tables)),
    )


def _warnings(
    segments: Sequence[SegmentLife],
    overlaps: dict[tuple[str, str], Overlap],
    headline: Headline,
    of_accounts: frozenset[str],
) -> Iterator[str]:
    yield from advice.about_number(len(segments))
    for life in segments:
        every = headline.accounts if life.name in of_accounts else headline.profiles
        yield from advice.about_size(life.name, life.entries, life.members, every)
        # Each pair once, with the segment that comes first.
        after = [found for (one, other), found in sorted(overlaps.items()) if one == life.name and one < other]
        yield from advice.about_overlaps(life.name, after)


def _rule_warnings(
    tables: duckdb.DuckDBPyConnection, definitions: ast.Definitions, names: Counter[tuple[str, str]], as_of: int
) -> Iterator[str]:
    for segment in definitions.about("users").segments:
        read = mentioned(needed_definitions(definitions, frozenset({segment.name})))
        yield from advice.about_expiry(segment.name, segment.expires, as_of)
        yield from advice.about_absent(segment.name, read, names, _occurring(tables, read))


def _occurring(tables: duckdb.DuckDBPyConnection, read: Mentioned) -> set[Property | str]:
    """The properties and traits that a rule reads, as far as they occur."""
    found: set[Property | str] = {wanted for wanted in read.properties if _occurs(tables, wanted)}
    return found | {path for path in read.traits if _trait_occurs(tables, path)}


def _occurs(tables: duckdb.DuckDBPyConnection, wanted: Property) -> bool:
    get = path_getter(wanted.path)
    query = f"SELECT {wanted.source} FROM events WHERE type = ? AND event = ? AND contains({wanted.source}::varchar, ?)"  # noqa: S608
    texts = _texts(tables, query, [wanted.type, wanted.name, _last_name(wanted.path)])
    return any(get(orjson.loads(text)) not in (None, []) for text in texts)


def _trait_occurs(tables: duckdb.DuckDBPyConnection, path: str) -> bool:
    texts = _texts(tables, "SELECT traits FROM profiles WHERE contains(traits::varchar, ?)", [_last_name(path)])
    return any(trait_value(orjson.loads(text), path) not in (None, []) for text in texts)


def _last_name(path: str) -> str:
    """Part of the JSON text of any object that has something at the path: rows without it need not be decoded."""
    return [part for part in split_path(path) if part != "$" and not part.isdecimal()][-1]


def _texts(tables: duckdb.DuckDBPyConnection, query: str, parameters: list[Any]) -> Iterator[str]:
    result = tables.execute(query, parameters)
    while rows := result.fetchmany(_ROWS_AT_ONCE):
        yield from (text for (text,) in rows)

"""`identify` events with what a table says, each attribute with its source and date."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import orjson

from schemas.instants import instant_text
from transforms.activation.people import allows
from transforms.enrichment.keys import profile_key, table_key

SOURCE: Final = "tidemark-enrich"
DATE: Final = "date"
"""A column of this name says when a row's attributes were true; it is no attribute."""


@dataclass(frozen=True, slots=True)
class Enrichment:
    """What is joined. `fields`: the columns to take, all but the key's if there are none. `date`: ISO, of all rows."""

    name: str
    by: str
    key: str
    source: str
    date: str
    consent: tuple[str, ...]
    fields: tuple[str, ...] = ()


class Profile(NamedTuple):
    """One profile: its typed columns that can be keys, and its traits."""

    profile_id: str
    columns: Mapping[str, Any]
    traits: dict[str, Any]


class Lookup(NamedTuple):
    """The rows by key. `ambiguous`: keys that several rows give different answers for; none of them is used."""

    rows: dict[str, dict[str, Any]]
    ambiguous: int
    without_key: int


def lookup(enrichment: Enrichment, rows: Iterable[Mapping[str, Any]]) -> Lookup:
    """The table, by key: only what has a value."""
    found: dict[str, dict[str, Any]] = {}
    ambiguous: set[str] = set()
    without_key = 0
    for row in rows:
        key = table_key(enrichment.by, row.get(enrichment.key))
        if key is None:
            without_key += 1
            continue
        names = enrichment.fields or tuple(name for name in row if name not in (enrichment.key, DATE))
        values = {name: row[name] for name in (*names, DATE) if row.get(name) not in (None, "")}
        if found.setdefault(key, values) != values:
            ambiguous.add(key)
    return Lookup({key: row for key, row in found.items() if key not in ambiguous}, len(ambiguous), without_key)


class Counts(NamedTuple):
    """What became of the profiles."""

    enriched: int
    unchanged: int
    without_consent: int
    not_found: int


def enrich(
    enrichment: Enrichment, table: Lookup, profiles: Iterable[Profile], as_of: int
) -> tuple[list[bytes], Counts]:
    """The events, in the order of the profiles, and what became of all.

    A profile whose traits say the same already gets none, so that a second run changes nothing.
    """
    events: list[bytes] = []
    unchanged = without_consent = not_found = 0
    for profile in profiles:
        key = profile_key(enrichment.by, profile.columns, profile.traits)
        row = table.rows.get(key) if key is not None else None
        if not row:
            not_found += 1
        elif not allows(profile.traits, enrichment.consent):
            without_consent += 1
        else:
            traits = dict(_traits(enrichment, row))
            if all(profile.traits.get(name) == value for name, value in traits.items()):
                unchanged += 1
            else:
                events.append(_identify(profile.profile_id, traits, enrichment, as_of))
    return events, Counts(len(events), unchanged, without_consent, not_found)


def _traits(enrichment: Enrichment, row: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Flat names: traits merge by field, so that two tables do not overwrite each other's attributes."""
    date = str(row.get(DATE) or enrichment.date)
    for name, value in row.items():
        if name != DATE:
            yield f"enriched.{name}", value
            yield f"enriched.{name}.source", enrichment.source
            yield f"enriched.{name}.date", date


def _identify(profile_id: str, traits: dict[str, Any], enrichment: Enrichment, as_of: int) -> bytes:
    kind, _, identifier = profile_id.partition(":")
    event: dict[str, Any] = {
        "type": "identify",
        "userId" if kind == "user" else "anonymousId": identifier,
        "traits": traits,
        "timestamp": instant_text(as_of),
        "context": {"library": {"name": SOURCE}, "enrichment": {"table": enrichment.name, "by": enrichment.by}},
    }
    digest = hashlib.sha256(orjson.dumps(event, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]
    return orjson.dumps({"messageId": f"enrich-{digest}", **event})


def missing_columns(columns: Sequence[str], enrichment: Enrichment) -> list[str]:
    """The columns that are asked for and that the table does not have."""
    return [name for name in (enrichment.key, *enrichment.fields) if name not in columns]

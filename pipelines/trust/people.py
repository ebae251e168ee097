"""The profiles of a job, as the model of duplicates sees them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import duckdb
import orjson

from transforms.duplicates.person import Person, birthday_of, person, street_of

_ROWS_AT_ONCE: Final = 10_000
_COLUMNS: Final = ("email", "phone", "first_name", "last_name", "birthday", "postal_code", "city")

_QUERY: Final = f"""
    SELECT profile_id, epoch_us(first_seen_at), {", ".join(_COLUMNS)},
           CASE WHEN regexp_matches(lower(traits::VARCHAR), 'street|address|house')
                  OR (birthday IS NULL AND regexp_matches(lower(traits::VARCHAR), 'birth|dob'))
                THEN traits::VARCHAR END
    FROM profiles WHERE merged_into IS NULL ORDER BY profile_id
"""  # noqa: S608 - the names of our own columns


@dataclass(frozen=True, slots=True)
class People:
    """`people`: those about whom something is known that can be compared, by profile id.

    `first_seen`: of all that are not merged, microseconds. `known`: all profile ids, those that were merged too.
    """

    people: dict[str, Person]
    first_seen: dict[str, int]
    known: frozenset[str]


def read_people(tables: duckdb.DuckDBPyConnection) -> People:
    """Asks the tables."""
    result = tables.execute(_QUERY)
    people: dict[str, Person] = {}
    first_seen: dict[str, int] = {}
    while rows := result.fetchmany(_ROWS_AT_ONCE):
        for profile_id, seen, *values, traits in rows:
            fields = dict(zip(_COLUMNS, values, strict=True))
            first_seen[profile_id] = seen or 0
            if traits:
                sent = orjson.loads(traits)
                fields["street"] = street_of(sent)
                fields["birthday"] = fields["birthday"] or birthday_of(sent)
            made = person(profile_id, fields)
            if made.email or made.phone or made.last_name or made.birthday:
                people[profile_id] = made
    known = frozenset(row[0] for row in tables.execute("SELECT profile_id FROM profiles").fetchall())
    return People(people, first_seen, known)


_SHOWN: Final = (*_COLUMNS, "country", "first_seen_at", "last_seen_at", "event_count")


def describe(tables: duckdb.DuckDBPyConnection, profile_ids: list[str]) -> dict[str, dict[str, str]]:
    """What a reviewer sees of these profiles: column and value, as text."""
    query = f"SELECT profile_id, {', '.join(_SHOWN)}, traits FROM profiles WHERE profile_id IN (SELECT unnest(?))"  # noqa: S608
    found = {}
    for profile_id, *values, traits in tables.execute(query, [profile_ids]).fetchall():
        shown = {name: str(value) for name, value in zip(_SHOWN, values, strict=True) if value is not None}
        street = street_of(orjson.loads(traits))
        found[profile_id] = shown | ({"street": street} if street else {})
    return found

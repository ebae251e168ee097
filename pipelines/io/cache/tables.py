"""What the cache shall hold, asked of a job's tables in SQL."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from operator import itemgetter

import duckdb
import pyarrow as pa

from pipelines.io.cache.layout import Entry, Membership
from schemas.tables import IDENTITY_LINKS, MEMBERSHIPS, PROFILES

_ROWS = 10_000

# One statement in the words that DuckDB and BigQuery have in common: `asked` stands before it, a profile's rows come
# out together. Whose an identifier is now: a device's is the user of its latest link, a merged user's the profile that
# took it.
_STATE = """
    latest AS (
        SELECT anonymous_id, user_id FROM (
            SELECT l.anonymous_id, l.user_id, row_number() OVER (
                PARTITION BY l.anonymous_id ORDER BY l.{timestamp} DESC, l.message_id DESC, l.user_id DESC) AS place
            FROM {links} l) ranked WHERE place = 1
    ), pointers AS (
        SELECT concat('anon:', l.anonymous_id) AS identifier,
            coalesce(p.merged_into, concat('user:', l.user_id)) AS profile_id
        FROM latest l LEFT JOIN {profiles} p ON p.profile_id = concat('user:', l.user_id)
        UNION ALL
        SELECT profile_id, merged_into FROM {profiles} WHERE merged_into IS NOT NULL AND profile_id LIKE 'user:%'
    )
    SELECT asked.profile_id AS profile_id, '' AS segment, NULL AS entered_us, NULL AS expires_us, '' AS identifier
    FROM asked
    UNION ALL
    SELECT m.profile_id, m.segment, {micros}(m.entered_at), {micros}(m.expires_at), ''
    FROM {memberships} m JOIN asked ON asked.profile_id = m.profile_id WHERE m.exited_at IS NULL
    UNION ALL
    SELECT p.profile_id, '', NULL, NULL, p.identifier FROM pointers p JOIN asked ON asked.profile_id = p.profile_id
    ORDER BY profile_id
"""
_MEMBERS = "SELECT DISTINCT profile_id FROM {memberships} WHERE exited_at IS NULL"
# Whom it concerns that something changed about these profiles: a device's id brings everybody it was ever linked to, of
# whom one may have lost it.
_AFFECTED = """
    SELECT profile_id FROM touched
    UNION DISTINCT
    SELECT p.merged_into FROM {profiles} p JOIN touched t ON t.profile_id = p.profile_id
    WHERE p.merged_into IS NOT NULL
    UNION DISTINCT
    SELECT concat('user:', l.user_id) FROM {links} l JOIN touched t ON t.profile_id = concat('anon:', l.anonymous_id)
    UNION DISTINCT
    SELECT p.merged_into FROM {links} l JOIN touched t ON t.profile_id = concat('anon:', l.anonymous_id)
    JOIN {profiles} p ON p.profile_id = concat('user:', l.user_id) WHERE p.merged_into IS NOT NULL
"""
StateRow = tuple[str, str, int | None, int | None, str]
"""(profile, segment or "", its instants, identifier or "")."""


class CacheTables:
    """The tables that the cache is made of.

    Args:
        connection: has them.
        schema: where, with a dot at the end; "" for where the connection looks by itself.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, schema: str = "") -> None:
        self._connection = connection
        self._schema = schema

    def members(self) -> Iterator[Entry]:
        """Every profile that is in a segment."""
        return self._entries(f"WITH asked AS ({_MEMBERS}), {_STATE}")

    def states(self, profile_ids: Iterable[str]) -> Iterator[Entry]:
        """These profiles, also those in no segment or not there at all; and who else their identifiers concern."""
        wanted = pa.table({"profile_id": pa.array(sorted(set(profile_ids)), pa.string())})
        self._connection.register("touched", wanted)
        found = list(self._entries(f"WITH asked AS ({_AFFECTED}), {_STATE}"))
        self._connection.unregister("touched")
        return iter(found)

    def _entries(self, statement: str) -> Iterator[Entry]:
        found = self._connection.execute(self._of(statement))
        return entries_of(row for rows in iter(lambda: found.fetchmany(_ROWS), []) for row in rows)

    def _of(self, statement: str) -> str:
        names = {name: f'{self._schema}"{table}"' for name, table in _TABLES.items()}
        return statement.format(micros="epoch_us", timestamp='"timestamp"', **names)


_TABLES = {"links": IDENTITY_LINKS.name, "profiles": PROFILES.name, "memberships": MEMBERSHIPS.name}


def bigquery_states(project: str, dataset: str) -> str:
    """The statement that asks BigQuery for the states of the profiles `@touched`: rows for `entries_of`."""
    names = {name: f"`{project}.{dataset}.{table}`" for name, table in _TABLES.items()}
    touched = "touched AS (SELECT profile_id FROM UNNEST(@touched) AS profile_id)"
    statement = f"WITH {touched}, asked AS ({_AFFECTED}), {_STATE}"
    return statement.format(micros="UNIX_MICROS", timestamp="`timestamp`", **names)


def entries_of(rows: Iterable[StateRow]) -> Iterator[Entry]:
    """Rows of `_STATE`, those of a profile together, as entries."""
    for profile_id, of_profile in itertools.groupby(rows, key=itemgetter(0)):
        stays, identifiers = set(), set()
        for _, segment, entered_us, expires_us, identifier in of_profile:
            if entered_us is not None:
                stays.add(Membership(segment, entered_us, expires_us))
            elif identifier:
                identifiers.add(identifier)
        memberships = tuple(sorted(stays, key=lambda one: (one.segment, one.entered_us)))
        yield Entry(profile_id, memberships, (profile_id, *sorted(identifiers - {profile_id})))

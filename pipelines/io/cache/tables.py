"""What the cache shall hold, asked of a job's tables in SQL."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import duckdb
import pyarrow as pa

from pipelines.io.cache.layout import Entry, Membership

_ROWS = 10_000

# Whose an identifier is now: a device's is the user of its latest link, a merged user's the profile that took it.
_STATE = """
    WITH latest AS (
        SELECT anonymous_id, max({'at': "timestamp", 'id': message_id, 'user_id': user_id}).user_id AS user_id
        FROM {links} GROUP BY anonymous_id
    ), pointers AS (
        SELECT 'anon:' || l.anonymous_id AS identifier, coalesce(p.merged_into, 'user:' || l.user_id) AS profile_id
        FROM latest l LEFT JOIN {profiles} p ON p.profile_id = 'user:' || l.user_id
        UNION ALL
        SELECT profile_id, merged_into FROM {profiles} WHERE merged_into IS NOT NULL AND profile_id LIKE 'user:%'
    ), identifiers AS (
        SELECT profile_id, list(DISTINCT identifier ORDER BY identifier) AS identifiers
        FROM pointers SEMI JOIN asked USING (profile_id) GROUP BY profile_id
    ), stays AS (
        SELECT profile_id,
            list([segment, epoch_us(entered_at)::VARCHAR, coalesce(epoch_us(expires_at)::VARCHAR, '')]
                ORDER BY segment) AS stays
        FROM {memberships} SEMI JOIN asked USING (profile_id) WHERE exited_at IS NULL GROUP BY profile_id
    )
    SELECT asked.profile_id, stays.stays, identifiers.identifiers
    FROM asked LEFT JOIN stays USING (profile_id) LEFT JOIN identifiers USING (profile_id)
"""
_MEMBERS = "SELECT DISTINCT profile_id FROM {memberships} WHERE exited_at IS NULL"
_AFFECTED = """
    SELECT DISTINCT unnest([profile_id, merged_into]) FROM {profiles} SEMI JOIN asked USING (profile_id)
    UNION
    SELECT unnest(['user:' || l.user_id, p.merged_into, 'anon:' || l.anonymous_id])
    FROM {links} l LEFT JOIN {profiles} p ON p.profile_id = 'user:' || l.user_id
    WHERE 'anon:' || l.anonymous_id IN (SELECT profile_id FROM asked)
    UNION
    SELECT profile_id FROM asked
"""


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
        return self._entries(f"CREATE OR REPLACE TEMP TABLE asked AS {self._of(_MEMBERS)}")

    def states(self, profile_ids: Iterable[str]) -> Iterator[Entry]:
        """These profiles, those that are in no segment or not at all included; and who else their identifiers concern.

        A device's id brings everybody it was ever linked to: of those, one may have lost it.
        """
        self._ask(profile_ids)
        affected = self._connection.execute(self._of(_AFFECTED)).fetchall()
        return self._entries(None, [one for (one,) in affected if one is not None])

    def _entries(self, statement: str | None, profile_ids: Iterable[str] = ()) -> Iterator[Entry]:
        if statement is None:
            self._ask(profile_ids)
        else:
            self._connection.execute(statement)
        found = self._connection.execute(self._of(_STATE))
        while rows := found.fetchmany(_ROWS):
            yield from (_entry(*row) for row in rows)

    def _ask(self, profile_ids: Iterable[str]) -> None:
        wanted = pa.table({"profile_id": pa.array(sorted(set(profile_ids)), pa.string())})
        self._connection.register("asked_for", wanted)
        self._connection.execute("CREATE OR REPLACE TEMP TABLE asked AS SELECT * FROM asked_for")
        self._connection.unregister("asked_for")

    def _of(self, statement: str) -> str:
        for name, table in (("links", "identity_links"), ("profiles", "profiles"), ("memberships", "memberships")):
            statement = statement.replace(f"{{{name}}}", f'{self._schema}"{table}"')
        return statement


def _entry(profile_id: str, stays: list[list[str]] | None, identifiers: list[str] | None) -> Entry:
    memberships = tuple(
        Membership(segment, int(entered), int(expires) if expires else None)
        for segment, entered, expires in stays or ()
    )
    return Entry(profile_id, memberships, (profile_id, *(one for one in identifiers or () if one != profile_id)))

"""One person's rows, read from a job's tables and their ledger."""

from __future__ import annotations

# ruff: noqa: S608 - statements are made of our own schema's names
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import duckdb

from schemas.ledger import ACTIVATIONS, LEDGER_TABLES
from schemas.tables import FAILED_EVENTS, TABLES, Table
from transforms.export.shares import SHARES, Identifiers, names_person

_SPELLED = {"JSON": "TEXT", "TIMESTAMP": "TEXT", "DATE": "TEXT"}


@dataclass(frozen=True, slots=True)
class PersonalTable:
    """A person's rows of one table: values by column, in the order of the table's key."""

    table: Table
    about: str
    rows: list[dict[str, Any]]


class NoSuchProfileError(ValueError):
    """There is no profile of that id."""


class PersonalTables:
    """Reads what is held about one person.

    Args:
        connection: has the job's tables as views, and those of the ledger that exist.
        profile_id: the person; the profile that it was merged into stands for it.

    Raises:
        NoSuchProfileError: nobody has that id.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, profile_id: str) -> None:
        self._connection = connection
        root = connection.execute(
            "SELECT coalesce(merged_into, profile_id) FROM profiles WHERE profile_id = ?", [profile_id]
        ).fetchone()
        if root is None:
            raise NoSuchProfileError(profile_id)
        self.profile_id: str = root[0]
        found = connection.execute(
            "SELECT profile_id, user_id, anonymous_ids FROM profiles WHERE $1 IN (profile_id, merged_into)",
            [self.profile_id],
        ).fetchall()
        self._profiles = sorted({one for one, _, _ in found})
        self._users = sorted(
            {user for _, user, _ in found if user} | {p[5:] for p in self._profiles if p.startswith("user:")}
        )
        devices = {device for _, _, devices in found for device in devices} | {
            p[5:] for p in self._profiles if p.startswith("anon:")
        }
        self._own = Identifiers(self._users, self._not_shared(sorted(devices)))
        self._there = {
            row[0] for row in connection.execute("SELECT table_name FROM information_schema.tables").fetchall()
        }

    def read(self) -> Iterator[PersonalTable]:
        """Every table that can hold something of a person, in the order of the schema."""
        parameters = self._parameters()
        for table in (*TABLES, *LEDGER_TABLES):
            share = SHARES.get(table.name)
            if share is not None and table.name in self._there:
                yield PersonalTable(table, share.about, list(self._rows(table, parameters)))

    def recorded_at(self) -> str:
        """When the profile was written."""
        query = "SELECT CAST(recorded_at AT TIME ZONE 'UTC' AS TEXT) FROM profiles WHERE profile_id = ?"
        return str(self._connection.execute(query, [self.profile_id]).fetchall()[0][0]).replace(" ", "T") + "Z"

    def _not_shared(self, devices: list[str]) -> list[str]:
        query = """
            SELECT anonymous_id FROM identity_links
            WHERE list_contains($1, anonymous_id) AND NOT list_contains($2, user_id)
        """
        shared = {row[0] for row in self._connection.execute(query, [devices, self._users]).fetchall()}
        return [device for device in devices if device not in shared]

    def _parameters(self) -> dict[str, list[str]]:
        hashes = [hashlib.sha256(user.encode()).hexdigest() for user in self._users]
        addresses: list[str] = []
        if ACTIVATIONS.name in self._there:
            query = "SELECT DISTINCT identifier_hash FROM activations WHERE list_contains($1, profile_id) ORDER BY 1"
            addresses = [row[0] for row in self._connection.execute(query, [self._profiles]).fetchall()]
        return {"profiles": self._profiles, "users": self._users, "hashes": hashes, "addresses": addresses}

    def _rows(self, table: Table, parameters: dict[str, list[str]]) -> Iterator[dict[str, Any]]:
        share = SHARES[table.name]
        columns = [column for column in table.columns if column.name not in share.hidden]
        selected = ", ".join(_selected(column.name, column.type) for column in columns)
        key = ", ".join(f'"{name}"' for name in table.key)
        used = {name: values for name, values in parameters.items() if f"${name}" in share.where}
        query = f'SELECT {selected} FROM "{table.name}" WHERE {share.where} ORDER BY {key}'
        found = self._connection.execute(query, used)
        names = [column.name for column in columns]
        while rows := found.fetchmany(10_000):
            for values in rows:
                row = dict(zip(names, values, strict=True))
                if table is not FAILED_EVENTS or names_person(row["reason"], row["raw"], self._own):
                    yield row


def _selected(name: str, kind: str) -> str:
    if kind == "TIMESTAMP":
        return f"strftime(\"{name}\" AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%S.%fZ')"
    return f'CAST("{name}" AS TEXT)' if kind in _SPELLED else f'"{name}"'

"""What activation asks of a job's tables: members, their profiles, who said no, and who was erased."""

from __future__ import annotations

# ruff: noqa: S608 - statements are made of our own schema's names
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import duckdb
import orjson
import pyarrow as pa

from pipelines.io.outputs import BigQueryOutput, Output
from pipelines.io.tables.query import open_tables
from schemas.arrow import arrow_schema
from schemas.tables import DELETIONS, EVENTS, MEMBERSHIPS, PROFILES, Column
from transforms.activation.fields import Profile
from transforms.activation.suppression import EVENTS as SAID_NO
from transforms.activation.suppression import SaidNo, Suppressed, find_suppressed
from transforms.activation.wanted import Membership, is_member


@dataclass(frozen=True, slots=True)
class ActivationTables:
    """The tables of one job, open."""

    connection: duckdb.DuckDBPyConnection

    def members(self, segments: Collection[str], at_us: int | None) -> list[Membership]:
        """Who is a member of these segments at an instant (None: that of the tables)."""
        rows = self._rows(
            "SELECT profile_id, segment, epoch_us(entered_at), epoch_us(exited_at), epoch_us(expires_at)"
            " FROM memberships WHERE list_contains(?, segment) AND NOT starts_with(profile_id, 'account:')",
            [sorted(segments)],
        )
        return [one for one in map(Membership._make, rows) if is_member(one, at_us)]

    def profiles(self, profile_ids: Collection[str]) -> dict[str, Profile]:
        """These profiles, as far as there are such."""
        self._ask(profile_ids)
        names = PROFILES.column_names()
        columns = ", ".join(_selected(column) for column in PROFILES.columns)
        rows = self._rows(f"SELECT {columns} FROM profiles SEMI JOIN asked USING (profile_id)")
        found = (dict(zip(names, row, strict=True)) for row in rows)
        return {
            one["profile_id"]: one | {name: orjson.loads(one[name]) for name in ("traits", "computed")} for one in found
        }

    def histories(self, profile_ids: Collection[str], events: Collection[str]) -> dict[str, dict[str, list[Any]]]:
        """Track events of these names, by profile and name, in order."""
        if not events:
            return {}
        self._ask(profile_ids)
        rows = self._rows(
            "SELECT profile_id, event, message_id, epoch_us(timestamp), properties FROM events"
            " SEMI JOIN asked USING (profile_id) WHERE type = 'track' AND list_contains(?, event)"
            " ORDER BY timestamp, message_id",
            [sorted(events)],
        )
        found: dict[str, dict[str, list[Any]]] = {}
        for profile_id, event, message_id, at, properties in rows:
            item = {"message_id": message_id, "timestamp": at, "properties": properties}
            found.setdefault(profile_id, {}).setdefault(event, []).append(item)
        return found

    def suppressed(self) -> Suppressed:
        """Everybody who said no."""
        said = self._rows(
            "SELECT e.profile_id, e.event, e.properties, p.email FROM events e LEFT JOIN profiles p USING (profile_id)"
            " WHERE e.type = 'track' AND list_contains(?, e.event) ORDER BY e.timestamp, e.message_id",
            [sorted(SAID_NO)],
        )
        opted_out = self._rows(
            "SELECT profile_id, '', NULL, email FROM profiles"
            " WHERE json_extract_string(traits, '$.unsubscribed') = 'true'"
        )
        erased = self._rows("SELECT id_hash FROM deletions")
        return find_suppressed(map(_said, said), (row[0] for row in erased), map(_said, opted_out))

    def known_by(self, column: str, hashes: Collection[str]) -> dict[str, list[str]]:
        """The profiles that have an identifier with one of these hashes, by hash."""
        if not hashes:
            return {}
        self.connection.register("hashes", pa.table({"hash": pa.array(sorted(hashes), pa.string())}))
        text = f"trim({column})"
        rows = self._rows(
            f"SELECT hash, profile_id FROM (SELECT profile_id, sha256(if(contains({text}, '@'), lower({text}), {text}))"
            f" AS hash FROM profiles WHERE {column} IS NOT NULL AND merged_into IS NULL) JOIN hashes USING (hash)"
        )
        found: dict[str, list[str]] = {}
        for hash_, profile_id in rows:
            found.setdefault(hash_, []).append(profile_id)
        self.connection.unregister("hashes")
        return found

    def merged(self, profile_ids: Collection[str]) -> dict[str, str]:
        """Of these profiles the ones that others have taken, and which."""
        self._ask(profile_ids)
        query = "SELECT profile_id, merged_into FROM profiles SEMI JOIN asked USING (profile_id)"
        return dict(self._rows(f"{query} WHERE merged_into IS NOT NULL"))

    def as_of(self) -> int:
        """The instant that the tables are of, microseconds; 0 where they are empty."""
        return int(self._rows("SELECT coalesce(max(epoch_us(recorded_at)), 0) FROM profiles")[0][0])

    def _ask(self, profile_ids: Collection[str]) -> None:
        self.connection.register("given", pa.table({"profile_id": pa.array(sorted(set(profile_ids)), pa.string())}))
        self.connection.execute("CREATE OR REPLACE TEMP TABLE asked AS SELECT * FROM given")
        self.connection.unregister("given")

    def _rows(self, query: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self.connection.execute(query, list(parameters)).fetchall()


@contextmanager
def open_activation_tables(place: Output) -> Iterator[ActivationTables]:
    """The tables of a job. Of events in BigQuery only those that are of use are read.

    Raises:
        OutputError: there are none.
        BigQueryError: BigQuery cannot be read.
    """
    tables = [PROFILES, MEMBERSHIPS, DELETIONS] + ([] if isinstance(place, BigQueryOutput) else [EVENTS])
    with open_tables(place, tables) as connection:
        if isinstance(place, BigQueryOutput):
            _read_events(connection, place)
        yield ActivationTables(connection)


def _read_events(connection: duckdb.DuckDBPyConnection, place: BigQueryOutput) -> None:
    from pipelines.io.bigquery.read import read_rows

    batches = read_rows(place.project, place.dataset, EVENTS, "type = 'track'")
    connection.register("rows", pa.RecordBatchReader.from_batches(arrow_schema(EVENTS), batches))
    connection.execute('CREATE TABLE "events" AS SELECT * FROM rows')
    connection.unregister("rows")


def _selected(column: Column) -> str:
    if column.type == "TIMESTAMP":
        return f'epoch_us("{column.name}")'
    return f'"{column.name}"::VARCHAR' if column.type in ("DATE", "JSON") else f'"{column.name}"'


def _said(row: tuple[Any, ...]) -> SaidNo:
    profile_id, event, properties, email = row
    parsed: Any = orjson.loads(properties) if properties else {}
    known: Mapping[str, Any] = parsed if isinstance(parsed, dict) else {}
    return SaidNo(profile_id, event, known, email)

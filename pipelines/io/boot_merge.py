"""What an earlier run of a stream told, carried over into the tables that a new run has built from the journal.

Used once per run, when the history is through. The new run has said everything again from the beginning. For tables of
facts that is the whole truth. What was told on the way, and what the journal no longer knows, is taken from the output:

| table | what happens |
| --- | --- |
| `membership_changes` | the old log stands; only what differs between the old and the new memberships is added to it |
| `failed_events` | those that came too late stay |
| `deletions` | counts of rows whose messages were erased from the journal are added up |
| `profiles` | `version` goes on from the greatest one |
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from pipelines.io.duckdb_live import quoted
from pipelines.io.output import DuckDBOutput, FilesOutput
from schemas.failure_reasons import TOO_LATE
from schemas.tables import DELETIONS, PROFILES
from schemas.update import RowUpdate

_VERSION = PROFILES.column_names().index("version")
_COUNTS = DELETIONS.column_names().index("counts")

# A boundary: where a membership begins or ends. Each is told once in the log.
_BOUNDARIES = """
    SELECT profile_id, segment, 'entered' AS change, entered_at AS "at", segment_version FROM {0}
    UNION ALL SELECT profile_id, segment, 'exited', exited_at, segment_version FROM {0} WHERE exited_at IS NOT NULL
"""
_ADD_TOLD = """
    CREATE TEMP TABLE told AS
    WITH boundary_old AS ({old}), boundary_new AS ({new}),
    added AS (SELECT * FROM boundary_new ANTI JOIN boundary_old USING (profile_id, segment, change, "at"))
    SELECT c.* FROM work.membership_changes c JOIN added a
        ON c.profile_id = a.profile_id AND c.segment = a.segment AND c.change = a.change AND c."at" = a."at"
    QUALIFY row_number() OVER (PARTITION BY a.profile_id, a.segment, a.change, a."at" ORDER BY c.rowid DESC) = 1
"""
_RETRACTED = """
    SELECT o.profile_id, o.segment, o.segment_version, epoch_us(o.entered_at),
        CASE WHEN p.profile_id IS NULL THEN 'deleted' WHEN p.merged_into IS NOT NULL THEN 'merge'
             WHEN o.segment NOT IN (SELECT segment FROM versions_new)
               OR (o.segment, o.segment_version) NOT IN (SELECT segment, segment_version FROM versions_new)
             THEN 'segment_changed' ELSE 'late_event' END,
        epoch_us(coalesce(p.recorded_at, o.recorded_at))
    FROM old_memberships o ANTI JOIN work.memberships n USING (profile_id, segment, entered_at)
    LEFT JOIN work.profiles p ON p.profile_id = o.profile_id
"""


@dataclass
class EarlierRun:
    """The output as an earlier run left it.

    Attributes:
        version: the greatest `version` of its profiles.
        counts: of each receipt, what it counted.
    """

    output: DuckDBOutput | FilesOutput
    version: int = 0
    counts: dict[str, dict[str, int]] = field(default_factory=dict)

    def read(self) -> None:
        """Reads what has to be known while the new run writes."""
        with duckdb.connect() as connection:
            if not self._open(connection):
                return
            ((version,),) = connection.execute("SELECT coalesce(max(version), 0) FROM old_profiles").fetchall()
            self.version = int(version)
            rows = connection.execute("SELECT receipt_id, counts::VARCHAR FROM old_deletions").fetchall()
            self.counts = {receipt_id: json.loads(counts) for receipt_id, counts in rows}

    def adjust(self, update: RowUpdate) -> RowUpdate:
        """The update of a new run, going on where this one ended."""
        if update.withdrawn:
            return update
        row = list(update.row)
        if update.table == PROFILES.name and self.version:
            row[_VERSION] += self.version
        elif update.table == DELETIONS.name and row[0] in self.counts:
            before, now = self.counts[row[0]], json.loads(row[_COUNTS])
            row[_COUNTS] = json.dumps({name: before.get(name, 0) + now.get(name, 0) for name in before | now})
        return update._replace(row=tuple(row))

    def carry_over(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Brings what only this run knew into the tables of the new one, in one transaction."""
        if not self._open(connection):
            return
        connection.execute("BEGIN")
        try:
            self._carry_failures(connection)
            self._carry_changes(connection)
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")

    def _carry_failures(self, connection: duckdb.DuckDBPyConnection) -> None:
        connection.execute(
            "INSERT INTO work.failed_events SELECT o.* FROM old_failed_events o "
            "ANTI JOIN work.failed_events USING (failure_id) WHERE o.reason = ?",
            [TOO_LATE],
        )

    def _carry_changes(self, connection: duckdb.DuckDBPyConnection) -> None:
        old, new = _BOUNDARIES.format("old_memberships"), _BOUNDARIES.format("work.memberships")
        connection.execute(_ADD_TOLD.format(old=old, new=new))
        connection.execute(
            "CREATE TEMP TABLE versions_new AS SELECT DISTINCT segment, segment_version FROM work.memberships"
        )
        retracted = [
            [_change_id(*row[:4]), *row[:3], "retracted", *row[3:]] for row in connection.execute(_RETRACTED).fetchall()
        ]
        connection.execute("DELETE FROM work.membership_changes")
        connection.execute("INSERT INTO work.membership_changes SELECT * FROM old_membership_changes")
        connection.execute(
            "INSERT INTO work.membership_changes SELECT told.* FROM told "
            "ANTI JOIN old_membership_changes USING (change_id)"
        )
        if retracted:
            connection.executemany(
                "INSERT INTO work.membership_changes "
                "SELECT ?, ?, ?, ?, ?, make_timestamptz(?), ?, [], make_timestamptz(?)",
                retracted,
            )

    def _open(self, connection: duckdb.DuckDBPyConnection) -> bool:
        """Makes `old_<table>` views of the tables; False where there is no output yet."""
        if isinstance(self.output, DuckDBOutput):
            path = Path(self.output.path).absolute()
            if not path.exists() or not path.stat().st_size:
                return False
            connection.execute(f"ATTACH '{quoted(path)}' AS earlier (READ_ONLY)")
        elif not Path(self.output.directory).is_dir():
            return False
        for table in ("profiles", "memberships", "membership_changes", "failed_events", "deletions"):
            connection.execute(f"CREATE TEMP VIEW old_{table} AS SELECT * FROM {self._source(table)}")  # noqa: S608
        return True

    def _source(self, table: str) -> str:
        if isinstance(self.output, DuckDBOutput):
            return f"earlier.main.{table}"
        return f"read_parquet('{quoted(Path(self.output.directory).absolute() / table / '*.parquet')}')"


def _change_id(*parts: object) -> str:
    """The same for the same retraction."""
    return hashlib.sha256("\0".join(("retracted at restart", *map(str, parts))).encode()).hexdigest()[:32]

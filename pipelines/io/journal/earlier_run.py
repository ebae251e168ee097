"""What an earlier run of a stream told, carried over into the tables that a new run has built from the journal.

Used once per run, when the history is through. The new run has said everything again from the beginning. For tables of
facts that is the whole truth. What was told on the way, and what the journal no longer knows, is taken from the output:

| table | what happens |
| --- | --- |
| `membership_changes` | the old log stands; only what differs between the old and the new memberships is added to it |
| `failed_events` | those that came too late stay, and those whose messages were erased from the journal |
| `deletions` | counts of rows whose messages were erased from the journal (which keeps them) are added |
| `profiles`, `accounts` | `version` goes on from the greatest one |
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import orjson

from pipelines.io.duckdb.stream_database import quoted
from pipelines.io.outputs import DuckDBOutput, FilesOutput
from schemas.failure_reasons import TOO_LATE
from schemas.tables import ACCOUNTS, DELETIONS, MEMBERSHIP_CHANGES, PROFILES
from schemas.update import RowUpdate

_VERSIONED = {table.name: table.column_names().index("version") for table in (PROFILES, ACCOUNTS)}
"""Where the version stands in a row."""
_COUNTS = DELETIONS.column_names().index("counts")

_GREATEST_VERSION = """
    SELECT greatest(0, (SELECT max(version) FROM old_profiles), (SELECT max(version) FROM old_accounts))
"""

# A stay (a row of `memberships`) that is no more, or ends elsewhere than was told: it is taken back, and told again.
_WRONG = """
    CREATE TEMP TABLE wrong AS
    SELECT o.* FROM old_memberships o LEFT JOIN work.memberships n USING (profile_id, segment, entered_at)
    WHERE n.profile_id IS NULL OR (o.exited_at IS NOT NULL AND o.exited_at IS DISTINCT FROM n.exited_at)
"""
_RIGHT = """
    CREATE TEMP TABLE stands AS
    SELECT o.* FROM old_memberships o ANTI JOIN wrong USING (profile_id, segment, entered_at)
"""
_UNTOLD = """
    CREATE TEMP TABLE untold AS
    WITH boundaries AS (
        SELECT n.profile_id, n.segment, 'entered' AS change, n.entered_at AS "at" FROM work.memberships n
        ANTI JOIN stands USING (profile_id, segment, entered_at)
        UNION ALL
        SELECT n.profile_id, n.segment, 'exited', n.exited_at FROM work.memberships n
        LEFT JOIN stands s USING (profile_id, segment, entered_at)
        WHERE n.exited_at IS NOT NULL AND (s.profile_id IS NULL OR s.exited_at IS NULL)
    )
    SELECT c.* FROM work.membership_changes c JOIN boundaries b
        ON c.profile_id = b.profile_id AND c.segment = b.segment AND c.change = b.change AND c."at" = b."at"
    QUALIFY row_number() OVER (PARTITION BY b.profile_id, b.segment, b.change, b."at" ORDER BY c.rowid DESC) = 1
"""
# Profiles that have lost an event to a retract which the earlier run did not know: it still had the event.
_TAKEN = """
    CREATE TEMP TABLE taken AS
    SELECT DISTINCT o.profile_id FROM old_events o JOIN work.retractions r ON o.message_id = r.retracts AND r.found
"""
_VERSIONS = "CREATE TEMP TABLE live_versions AS SELECT DISTINCT segment, segment_version FROM work.memberships"
_RETRACTED = """
    SELECT sha2.id, w.profile_id, w.segment, w.segment_version, 'retracted', w.entered_at,
        CASE WHEN t.profile_id IS NOT NULL THEN 'retraction'
             WHEN p.profile_id IS NULL AND a.account_id IS NULL THEN 'deleted'
             WHEN p.merged_into IS NOT NULL THEN 'merge'
             WHEN v.segment IS NULL THEN 'segment_changed' ELSE 'late_event' END,
        [], make_timestamptz($started + row_number() OVER (PARTITION BY w.profile_id))
    FROM wrong w
    LEFT JOIN taken t USING (profile_id)
    LEFT JOIN work.profiles p USING (profile_id)
    LEFT JOIN work.accounts a ON a.account_id = w.profile_id
    LEFT JOIN live_versions v USING (segment, segment_version)
    CROSS JOIN LATERAL (
        SELECT left(sha256(concat_ws(chr(0), $run, w.profile_id, w.segment, epoch_us(w.entered_at))), 32) AS id
    ) sha2
"""
_TELL = """
    INSERT INTO work.membership_changes
    SELECT u.* REPLACE (
        CASE WHEN t.profile_id IS NOT NULL AND u.cause IN ('event', 'late_event') AND u.change_id NOT IN (
            SELECT change_id FROM (SELECT change_id, unnest(message_ids) AS message_id FROM untold)
            ANTI JOIN old_events USING (message_id))
        THEN 'retraction' ELSE u.cause END AS cause,
        CASE WHEN o.change_id IS NULL THEN u.change_id ELSE left(sha256(concat_ws(chr(0), u.change_id, $run)), 32) END
        AS change_id)
    FROM untold u LEFT JOIN old_membership_changes o USING (change_id)
    LEFT JOIN taken t ON t.profile_id = u.profile_id
"""
_RETRACTED_ONCE = """
    SELECT change_id FROM old_membership_changes
    SEMI JOIN (SELECT profile_id, segment FROM old_membership_changes WHERE change = 'retracted')
    USING (profile_id, segment)
"""


@dataclass
class EarlierRun:
    """The output as an earlier run left it.

    Args:
        output: where it is.
        run: names the new run.
        started_us: when the new run started, microseconds since the epoch.

    Attributes:
        version: the greatest `version` of its profiles and accounts.
        counts: of each receipt, what it counted, as JSON. Whoever has a journal asks it for what of it is to be added.
        told: ids of changes that may be said once more in another sense: of stays that were taken back.
    """

    output: DuckDBOutput | FilesOutput
    run: str
    started_us: int
    version: int = 0
    counts: dict[str, str] = field(default_factory=dict)
    told: frozenset[str] = frozenset()
    _is_over: bool = False

    def read(self) -> None:
        """Reads what has to be known while the new run writes."""
        with duckdb.connect() as connection:
            if not self._open(connection):
                return
            ((version,),) = connection.execute(_GREATEST_VERSION).fetchall()
            self.version = int(version)
            rows = connection.execute("SELECT receipt_id, counts::VARCHAR FROM old_deletions").fetchall()
            self.counts = dict(rows)
            self.told = frozenset(change_id for (change_id,) in connection.execute(_RETRACTED_ONCE).fetchall())

    def adjust(self, update: RowUpdate) -> RowUpdate:
        """The update of a new run, going on where this one ended."""
        row = update.row
        if update.withdrawn:
            return update
        if update.table in _VERSIONED and self.version:
            place = _VERSIONED[update.table]
            return _with(update, place, row[place] + self.version)
        if update.table == DELETIONS.name and row[0] in self.counts:
            before, now = orjson.loads(self.counts[row[0]]), orjson.loads(row[_COUNTS])
            counts = {name: before.get(name, 0) + now.get(name, 0) for name in now | before}
            return _with(update, _COUNTS, orjson.dumps(counts))
        if update.table == MEMBERSHIP_CHANGES.name and self._is_over and row[0] in self.told:
            return _with(update, 0, hashlib.sha256(f"{row[0]}\0{self.run}".encode()).hexdigest()[:32])
        return update

    def carry_over(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Brings what only this run knew into the tables of the new one, in one transaction."""
        self._is_over = True
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
            "ANTI JOIN work.failed_events USING (failure_id) WHERE o.reason = ? OR octet_length(o.raw) = 0",
            [TOO_LATE],
        )

    def _carry_changes(self, connection: duckdb.DuckDBPyConnection) -> None:
        for statement in (_WRONG, _RIGHT, _UNTOLD, _TAKEN, _VERSIONS):
            connection.execute(statement)
        connection.execute("DELETE FROM work.membership_changes")
        connection.execute("INSERT INTO work.membership_changes SELECT * FROM old_membership_changes")
        run = {"run": self.run}
        connection.execute(
            f"INSERT INTO work.membership_changes {_RETRACTED}",
            {**run, "started": self.started_us},
        )
        connection.execute(_TELL, run)

    def _open(self, connection: duckdb.DuckDBPyConnection) -> bool:
        """Makes `old_<table>` views of the tables; False where there is no output yet."""
        if isinstance(self.output, DuckDBOutput):
            path = self.output.target()
            if not path.exists() or not path.stat().st_size:
                return False
            connection.execute(f"ATTACH '{quoted(path)}' AS earlier (READ_ONLY)")
        elif not Path(self.output.directory).is_dir():
            return False
        for table in (*_VERSIONED, "memberships", "membership_changes", "events", "failed_events", "deletions"):
            connection.execute(f"CREATE TEMP VIEW old_{table} AS SELECT * FROM {self._source(table)}")  # noqa: S608
        return True

    def _source(self, table: str) -> str:
        if isinstance(self.output, DuckDBOutput):
            return f"earlier.main.{table}"
        return f"read_parquet('{quoted(self.output.target() / table / '*.parquet')}')"


def _with(update: RowUpdate, place: int, value: object) -> RowUpdate:
    return update._replace(row=(*update.row[:place], value, *update.row[place + 1 :]))

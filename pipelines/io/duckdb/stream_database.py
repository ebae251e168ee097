"""The tables of a running stream: a database of the writer's own, upserted in batches, whose copies are the output.

Not shared between threads. The work database is made anew by each run: what a crash leaves of it is thrown away, since
the journal (journal.py) holds every message. Two files:

| file | holds |
| --- | --- |
| `work.duckdb` | the tables of the contract and nothing else, so that a copy of it is the output |
| `versions.duckdb` | per table: each key that was written or withdrawn, with its version |
"""

from __future__ import annotations

import functools
import operator
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa

from pipelines.io.files.atomic import replace_file, replace_folder
from pipelines.io.tables.staging import BLOCK_ORDERED, TABLES_BY_NAME, write_parquet
from schemas.arrow import arrow_schema, to_record_batch, with_schema
from schemas.block import TableBlock
from schemas.duckdb import create_all, duckdb_type
from schemas.tables import TABLES, Table
from schemas.update import RowUpdate

_OPTIONS = "(STORAGE_VERSION 'v1.2.0')"  # as the bounded job writes it
_ROWS_PER_BATCH = 100_000


class LiveTables:
    """All tables, empty at first.

    Args:
        folder: an existing folder; what an earlier run left of the two files is removed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._remove()
        self.connection = duckdb.connect()
        self.connection.execute("SET TimeZone = 'UTC'")
        self.connection.execute(f"ATTACH '{quoted(self._work)}' AS work {_OPTIONS}")
        self.connection.execute(f"ATTACH '{quoted(folder / 'versions.duckdb')}' AS versions")
        self.connection.execute("USE versions")
        self.connection.execute("BEGIN")
        for table in TABLES:
            keys = ", ".join(f'"{c.name}" {duckdb_type(c)}' for c in table.columns if c.name in table.key)
            self.connection.execute(f'CREATE TABLE "{table.name}" ({keys}, version BIGINT)')
        self.connection.execute("COMMIT")
        self.connection.execute("USE work")
        self.connection.execute(create_all(TABLES))

    @property
    def _work(self) -> Path:
        return self._folder / "work.duckdb"

    def apply(self, updates: Iterable[RowUpdate]) -> int:
        """Writes a batch in one transaction; returns how many rows changed.

        Of all updates of a key that were ever given, the one with the greatest version stands, a withdrawal too.

        Raises:
            ValueError: a row does not fit its table. Nothing of the batch is written.
        """
        batches = [
            (TABLES_BY_NAME[name], *_split(TABLES_BY_NAME[name], of_table))
            for name, of_table in _newest(updates).items()
        ]
        # The versions come second: should they fail, the run ends, and the next one starts from the journal.
        changed = 0
        for first in (True, False):
            self.connection.execute("BEGIN")
            try:
                for table, keys, rows in batches:
                    if first:
                        changed += self._write(table, keys, rows)
                    else:
                        self._note_versions(table)
            except BaseException:
                self.connection.execute("ROLLBACK")
                raise
            self.connection.execute("COMMIT")
        return changed

    @contextmanager
    def without_checkpoints(self) -> Iterator[None]:
        """Writes much at once: what publishes it makes a checkpoint anyway."""
        self.connection.execute("SET checkpoint_threshold = '1TB'")
        try:
            yield
        finally:
            self.connection.execute("RESET checkpoint_threshold")

    def begin(self, table: Table, rows: pa.Table, version: int) -> None:
        """Writes the first rows of a table, which is empty.

        Args:
            table: the table.
            rows: its columns, and `row_version` beside them: of each key the row with the greatest one stands.
            version: is added to what stands in its own column `version`, if it has one.
        """
        self.connection.register("first_rows", rows)
        columns = ", ".join(
            f'r."{name}" + {version}' if name == "version" else f'r."{name}"' for name in table.column_names()
        )
        self.connection.execute("BEGIN")
        self.connection.execute(
            f'INSERT INTO versions.main."{table.name}" SELECT {_key(table)}, max(row_version) FROM first_rows '  # noqa: S608
            f"GROUP BY {_key(table)}"
        )
        self.connection.execute("COMMIT")
        ((keys,),) = self.connection.execute(f'SELECT count(*) FROM versions.main."{table.name}"').fetchall()  # noqa: S608
        first = f'INSERT INTO work.main."{table.name}" SELECT {columns} FROM first_rows r'  # noqa: S608 - our own names
        if keys < rows.num_rows:
            first += f" QUALIFY row_number() OVER (PARTITION BY {_key(table)} ORDER BY row_version DESC) = 1"
        self.connection.execute("BEGIN")
        self.connection.execute(first)
        self.connection.execute("COMMIT")
        self.connection.unregister("first_rows")

    def count(self, table: str) -> int:
        """Rows of a table."""
        ((rows,),) = self.connection.execute(f'SELECT count(*) FROM work."{table}"').fetchall()  # noqa: S608
        return int(rows)

    def receipts(self) -> dict[str, str]:
        """The counts of each receipt of erasure, as JSON."""
        return dict(self.connection.execute("SELECT receipt_id, counts::VARCHAR FROM work.deletions").fetchall())

    def missing_from(self, columns: Iterable[tuple[str, str, str]], values: Iterable[str]) -> list[str]:
        """Those of the values that none of the columns, (table, column, condition on its rows), has."""
        self.connection.register("asked", pa.table({"value": pa.array(sorted(values), pa.string())}))
        query = "SELECT value FROM asked"
        for table, column, condition in columns:
            of_rows = f'SELECT "{column}" AS value FROM work."{table}" WHERE {condition}'  # noqa: S608
            query += f" ANTI JOIN ({of_rows}) USING (value)"
        found = self.connection.execute(query).fetchall()
        self.connection.unregister("asked")
        return [value for (value,) in found]

    def publish_database(self, target: Path) -> None:
        """Puts a copy of the tables in the place of the database at `target`, in one rename."""
        self.connection.execute("CHECKPOINT work")
        new = self._folder / "new.duckdb"
        shutil.copyfile(self._work, new)
        target.with_name(target.name + ".wal").unlink(missing_ok=True)  # of somebody who wrote into the old copy
        replace_file(new, target)

    def publish_folder(self, target: Path) -> None:
        """Puts the tables as Parquet, `<table>/part-00000.parquet`, in the place of the folder `target`, at once."""
        new = self._folder / "new"
        shutil.rmtree(new, ignore_errors=True)
        for table in TABLES:
            (new / table.name).mkdir(parents=True)
            order = "" if table.name in BLOCK_ORDERED else f" ORDER BY {_key(table)}"
            query = f'SELECT * FROM work."{table.name}"{order}'  # noqa: S608 - names of our own schema
            schema = arrow_schema(table)
            reader: pa.RecordBatchReader = self.connection.sql(query).to_arrow_reader(_ROWS_PER_BATCH)
            batches = (with_schema(batch, schema) for batch in reader)
            write_parquet(table, new / table.name / "part-00000.parquet", batches)
        replace_folder(new, target)

    def close(self) -> None:
        """Removes the work database; what was published stays."""
        self.connection.close()
        self._remove()

    def _write(self, table: Table, keys: pa.Table, rows: pa.RecordBatch) -> int:
        """Into the work database, those that are newer than what was written. Leaves their keys in a table `fresh_`."""
        fresh = f'temp.main."fresh_{table.name}"'
        self.connection.register("batch_keys", keys)
        self.connection.register("batch_rows", pa.Table.from_batches([rows]))
        self.connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {fresh} AS SELECT b.* FROM batch_keys b "  # noqa: S608 - our own names
            f'LEFT JOIN versions.main."{table.name}" v USING ({_key(table)}) '
            "WHERE v.version IS NULL OR v.version < b.row_version"
        )
        self.connection.execute(f'DELETE FROM work.main."{table.name}" t USING {fresh} f WHERE {_same_key(table)}')  # noqa: S608
        columns = ", ".join(f'r."{name}"' for name in table.column_names())
        self.connection.execute(
            f'INSERT INTO work.main."{table.name}" SELECT {columns} FROM batch_rows r '  # noqa: S608 - our own names
            f"JOIN {fresh} f ON r.row_number = f.row_number ORDER BY r.row_number"
        )
        ((changed,),) = self.connection.execute(f"SELECT count(*) FROM {fresh}").fetchall()  # noqa: S608
        self.connection.unregister("batch_keys")
        self.connection.unregister("batch_rows")
        return int(changed)

    def _note_versions(self, table: Table) -> None:
        fresh, noted = f'temp.main."fresh_{table.name}"', f'versions.main."{table.name}"'
        self.connection.execute(f"DELETE FROM {noted} t USING {fresh} f WHERE {_same_key(table)}")  # noqa: S608
        self.connection.execute(f"INSERT INTO {noted} SELECT {_key(table)}, row_version FROM {fresh}")  # noqa: S608

    def _remove(self) -> None:
        for name in ("work.duckdb", "versions.duckdb", "new.duckdb"):
            for left in (name, f"{name}.wal"):
                (self._folder / left).unlink(missing_ok=True)


def quoted(path: Path) -> str:
    """A path inside an SQL literal."""
    return str(path).replace("'", "''")


def _newest(updates: Iterable[RowUpdate]) -> dict[str, list[RowUpdate]]:
    """Per table, of each key the update with the greatest version; of equal versions the first."""
    newest: dict[str, dict[object, RowUpdate]] = {}
    for update in updates:
        of_table = newest.setdefault(update.table, {})
        key = _key_of(update.table)(update.row)
        known = of_table.get(key)
        if known is None or known.version < update.version:
            of_table[key] = update
    return {name: list(of_table.values()) for name, of_table in newest.items()}


@functools.cache
def _key_of(name: str) -> Callable[[tuple[object, ...]], object]:
    """What reads the key from a row of a table."""
    if name not in TABLES_BY_NAME:
        raise ValueError(f"no table {name!r}; there are {', '.join(TABLES_BY_NAME)}")
    return operator.itemgetter(*_key_places(TABLES_BY_NAME[name]))


def _split(table: Table, updates: Sequence[RowUpdate]) -> tuple[pa.Table, pa.RecordBatch]:
    """The keys of all updates, with version and number; and the rows of those that are not withdrawn, with number."""
    schema = arrow_schema(table)
    keys = {
        name: pa.array([update.row[place] for update in updates], schema.field(name).type)
        for name, place in zip(table.key, _key_places(table), strict=True)
    }
    keys["row_version"] = pa.array([update.version for update in updates], pa.int64())
    keys["row_number"] = pa.array(range(len(updates)), pa.int64())
    standing = [(number, update.row) for number, update in enumerate(updates) if not update.withdrawn]
    columns = list(zip(*(row for _, row in standing), strict=True)) if standing else [()] * len(table.columns)
    rows = to_record_batch(table, TableBlock(table.name, 0, tuple(columns)))
    numbers = pa.array([number for number, _ in standing], pa.int64())
    return pa.table(keys), rows.append_column("row_number", numbers)


def _key_places(table: Table) -> list[int]:
    names = table.column_names()
    return [names.index(name) for name in table.key]


def _key(table: Table) -> str:
    return ", ".join(f'"{name}"' for name in table.key)


def _same_key(table: Table) -> str:
    return " AND ".join(f't."{name}" = f."{name}"' for name in table.key)

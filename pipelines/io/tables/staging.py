"""Shards: Parquet files in a staging folder (beside the target, or in an object store), on their way into the output.

Comes after the stages that make `TableBlock`s, in the same process as they; `duckdb_file`, `parquet_folder`,
`parquet_store` and `bigquery_load` turn the shards into the output. A shard's name is unique to the attempt that wrote
it: what a failed attempt leaves is never read, and goes with the folder. Where that is: staging_place.py.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.io.files.store import open_store
from schemas.arrow import MARK, arrow_schema, to_record_batch
from schemas.block import TableBlock
from schemas.tables import TABLES, Table

ROWS_PER_SHARD = 200_000
"""Rows of a sorted table that are held back, at most, to be written in one shard."""
BYTES_PER_SHARD = 64 * 1024 * 1024
"""The same in bytes of Arrow data: rows may be long."""
GATHERED_ROWS = 512
"""Smaller blocks wait for each other, to become one batch."""

TABLES_BY_NAME: dict[str, Table] = {table.name: table for table in TABLES}

BLOCK_ORDERED = frozenset({"events"})
"""Tables too large to sort: their rows stand in the order of their blocks. All others are sorted by key."""

_MEMORY_LIMIT = "1GB"
"""What DuckDB may hold before it spills into the staging folder."""

_FIRST_BY: dict[str, str] = {"failed_events": "source, received_at"}
"""Tables in which several stages may report the same key: the first row by these columns stands."""


class Shard(NamedTuple):
    """A Parquet file with rows of one table. `path`: where it lies, on any file system that Beam knows."""

    table: str
    order: int
    path: str
    rows: int


# --- the folder ------------------------------------------------------------------------------------------------------


def new_staging_folder(target: Path) -> Path:
    """A name, unique to this run, for a staging folder on the target's file system."""
    return target.parent / f"{_prefix(target)}{os.getpid()}-{uuid.uuid4().hex[:12]}"


def remove_abandoned(target: Path, *, own: bool = False) -> None:
    """Remove the staging folders of runs on this host that ended without removing them.

    `own`: those of this process too, whose job has failed.
    """
    for folder in target.parent.glob(f"{_prefix(target)}*"):
        owner = re.fullmatch(r"(\d+)-[0-9a-f]+", folder.name.removeprefix(_prefix(target)))
        if owner and ((own and int(owner[1]) == os.getpid()) or not _is_running(int(owner[1]))):
            shutil.rmtree(folder, ignore_errors=True)  # another run may be sweeping too


def _prefix(target: Path) -> str:
    host = re.sub(r"\W", "_", socket.gethostname())
    return f".{target.name}.staging-{host}-"


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


# --- writing ---------------------------------------------------------------------------------------------------------


class _Held:
    """Rows of one table that are held back. Few rows at a time are gathered first: Arrow's cost is per batch."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.rows = 0
        self.size_bytes = 0
        self._batches: list[pa.RecordBatch] = []
        self._gathered: tuple[list[Any], ...] = tuple([] for _ in table.columns)

    def add(self, block: TableBlock) -> None:
        if _is_small(block, self.table):
            for gathered, column in zip(self._gathered, block.columns, strict=True):
                gathered.extend(column)
            self.rows += len(block.columns[0])
            if len(self._gathered[0]) >= GATHERED_ROWS:
                self._add_gathered()
        else:
            batch = to_record_batch(self.table, block)
            self.rows += batch.num_rows
            self._add(batch)

    def take(self) -> list[pa.RecordBatch]:
        self._add_gathered()
        batches, self._batches = self._batches, []
        self.rows = self.size_bytes = 0
        return batches

    def _add_gathered(self) -> None:
        if self._gathered[0]:
            columns, self._gathered = self._gathered, tuple([] for _ in self.table.columns)
            self._add(to_record_batch(self.table, TableBlock(self.table.name, 0, columns)))

    def _add(self, batch: pa.RecordBatch) -> None:
        if batch.num_rows:
            self._batches.append(batch)
            self.size_bytes += batch.nbytes


def _is_small(block: TableBlock, table: Table) -> bool:
    """Whether the block can wait for others: a large one, or one that does not fit, is looked at at once."""
    if len(block.columns) != len(table.columns):
        return False
    lengths = {len(column) for column in block.columns}
    return len(lengths) == 1 and lengths.pop() < GATHERED_ROWS


class ShardWriter:
    """Writes blocks as shards. One per bundle; not shared between threads."""

    def __init__(self, folder: str) -> None:
        self._store = open_store(folder)
        self._held: dict[str, _Held] = {}

    def write(self, block: TableBlock) -> Iterator[Shard]:
        """Take a block; yields the shards that are complete.

        Raises:
            ValueError: the block does not fit its table (see `to_record_batch`), or there is no such table.
        """
        table = TABLES_BY_NAME.get(block.table)
        if table is None:
            raise ValueError(f"no table {block.table!r}; there are {', '.join(TABLES_BY_NAME)}")
        if block.table in BLOCK_ORDERED:
            batch = to_record_batch(table, block)
            if batch.num_rows:
                yield self._shard(table, block.order, [batch])
            return
        held = self._held.get(table.name) or self._held.setdefault(table.name, _Held(table))
        held.add(block)
        if held.rows >= ROWS_PER_SHARD or held.size_bytes >= BYTES_PER_SHARD:
            yield self._shard(table, 0, held.take())

    def close(self) -> Iterator[Shard]:
        """Write what is held back."""
        every, self._held = self._held, {}
        for held in every.values():
            batches = held.take()
            if batches:
                yield self._shard(held.table, 0, batches)

    def _shard(self, table: Table, order: int, batches: list[pa.RecordBatch]) -> Shard:
        name = f"{table.name}-{uuid.uuid4().hex}.parquet"
        with self._store.writing(name) as path:
            rows = write_parquet(table, path, batches)
        return Shard(table.name, order, f"{self._store.location}/{name}", rows)


def write_parquet(table: Table, path: Path, batches: Iterable[pa.RecordBatch]) -> int:
    """Write one Parquet file with the table's schema; returns the number of rows.

    zstd 1 with dictionaries for columns that repeat was the fastest of eight settings to write and load again, and
    the smallest.
    """
    rows = 0
    with pq.ParquetWriter(
        path,
        arrow_schema(table),
        compression="zstd",
        compression_level=1,
        use_dictionary=[
            f"{column.name}.list.element" if column.repeated else column.name
            for column in table.columns
            if column.type in {"STRING", "JSON"} and (column.name,) != table.key
        ],
        write_statistics=[
            column.name for column in table.columns if column.type not in {"JSON", "BYTES"} and not column.repeated
        ],
    ) as writer:
        writer.add_key_value_metadata({MARK: table.name})
        for batch in batches:
            writer.write_batch(batch)
            rows += batch.num_rows
    return rows


# --- reading ---------------------------------------------------------------------------------------------------------


def open_staging_database(staging: Path) -> duckdb.DuckDBPyConnection:
    """An in-memory database that reads shards, and spills into the staging folder what does not fit in memory."""
    connection = duckdb.connect(config={"temp_directory": str(staging / "spill"), "memory_limit": _MEMORY_LIMIT})
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def select_rows(table: Table, shards: Iterable[Shard]) -> tuple[str, list[list[str]]]:
    """A DuckDB query, with its parameters, for the table's rows in their final order, whatever wrote the shards."""
    paths = [shard.path for shard in sorted(shards, key=lambda shard: (shard.order, shard.path))]
    columns = ", ".join(f'"{name}"' for name in table.column_names())
    key = ", ".join(f'"{name}"' for name in table.key)
    query = f"SELECT {columns} FROM read_parquet(?)"  # noqa: S608 - names of our own schema
    if table.name in _FIRST_BY:
        query += f" QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY {_FIRST_BY[table.name]}) = 1"
    if table.name not in BLOCK_ORDERED:
        query += f" ORDER BY {key}"
    return query, [paths]

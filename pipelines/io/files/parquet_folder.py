"""Shards into a folder of Parquet files, `DIR/<table>/part-00000.parquet` ..., that replaces the old one at once."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from pipelines.io.files.atomic import replace_folder
from pipelines.io.files.foreign import part_name
from pipelines.io.tables.staging import BLOCK_ORDERED, Shard, open_staging_database, select_rows, write_parquet
from schemas.arrow import arrow_schema, with_schema
from schemas.tables import TABLES, Table

ROWS_PER_PART = 1_000_000
_ROWS_PER_BATCH = 100_000


def write_folder(target: Path, staging: Path, shards: Mapping[str, Sequence[Shard]]) -> dict[str, int]:
    """Replace the folder `target` by one with a subfolder per table. Returns rows per table.

    Every table has at least one part, an empty one if it has no rows, so that its schema can always be read. A crash
    at any point leaves the previous folder. Calling it again with the same shards gives the same files.
    """
    new = staging / "new"
    shutil.rmtree(new, ignore_errors=True)
    rows = {table.name: _write_table(table, new / table.name, staging, shards.get(table.name, ())) for table in TABLES}
    replace_folder(new, target)
    return rows


def _write_table(table: Table, folder: Path, staging: Path, shards: Sequence[Shard]) -> int:
    folder.mkdir(parents=True)
    if not shards:
        return write_parquet(table, _part(folder, 0), [])
    if table.name in BLOCK_ORDERED:
        # The shards are as they should be. Links, not renames: should this step be repeated, it finds them again.
        for number, shard in enumerate(sorted(shards, key=lambda shard: (shard.order, shard.path))):
            _part(folder, number).hardlink_to(shard.path)
        return sum(shard.rows for shard in shards)
    return sum(
        write_parquet(table, _part(folder, number), batches)
        for number, batches in enumerate(sorted_parts(table, staging, shards))
    )


def _part(folder: Path, number: int) -> Path:
    return folder / part_name(number)


def sorted_parts(table: Table, staging: Path, shards: Sequence[Shard]) -> Iterator[list[pa.RecordBatch]]:
    """The rows of local shards in their final order, as what each part shall hold."""
    query, parameters = select_rows(table, shards)
    schema = arrow_schema(table)
    part: list[pa.RecordBatch] = []
    with open_staging_database(staging) as connection:
        reader: pa.RecordBatchReader = connection.sql(query, params=parameters).to_arrow_reader(_ROWS_PER_BATCH)
        for batch in reader:
            part.append(with_schema(batch, schema))
            if sum(one.num_rows for one in part) >= ROWS_PER_PART:
                yield part
                part = []
    if part:
        yield part

"""What a folder holds that Tidemark did not write: a job replaces the whole folder, so there must be nothing of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.arrow import MARK, arrow_schema
from schemas.tables import TABLES, Table

_TABLES = {table.name: table for table in TABLES}


def foreign_in_folder(folder: Path) -> Iterator[str]:
    """Paths, relative to the folder, of what is not ours.

    Ours are folders named as our tables, that hold nothing but `part-00000.parquet` and so on without a gap, each a
    Parquet file that says it is ours (as those of earlier releases do by their description) and has no column that
    ours has not. Empty folders of these names hold nothing that could be lost.
    """
    for entry in sorted(folder.iterdir()):
        table = _TABLES.get(entry.name)
        if table is None or entry.is_symlink() or not entry.is_dir():
            yield entry.name
            continue
        for number, part in enumerate(sorted(entry.iterdir())):
            if part.name != part_name(number) or part.is_symlink() or not part.is_file() or not _is_ours(part, table):
                yield f"{entry.name}/{part.name}"


def part_name(number: int) -> str:
    """What the parts of a table are called, in their order."""
    return f"part-{number:05}.parquet"


def _is_ours(part: Path, table: Table) -> bool:
    try:
        with pq.ParquetFile(part) as file:
            marks, schema = file.metadata.metadata or {}, file.schema_arrow
    except (pa.ArrowException, OSError):
        return False
    ours = arrow_schema(table)
    described = (schema.metadata or {}).get(b"description") == table.description.encode()
    if MARK.encode() not in marks and not described:
        return False
    return set(table.key) <= set(schema.names) and all(
        name in ours.names and _storage(schema.field(name).type) == _storage(ours.field(name).type)
        for name in schema.names
    )


def _storage(kind: pa.DataType) -> pa.DataType:
    return kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind

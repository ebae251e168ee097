"""The rows of a boot on their way from its workers to the writer of the output: files of a folder.

Tables with a row for each event, profile or stay go as columns, all others as packed updates, which are few.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from schemas.arrow import arrow_schema, to_record_batch
from schemas.block import TableBlock
from schemas.tables import EVENTS, IDENTITY_LINKS, MEMBERSHIP_CHANGES, MEMBERSHIPS, PROFILES, Table
from schemas.update import RowUpdate, pack_updates, unpack_updates

LARGE = {table.name: table for table in (EVENTS, IDENTITY_LINKS, PROFILES, MEMBERSHIPS, MEMBERSHIP_CHANGES)}
OF_OWNERS = (EVENTS.name, IDENTITY_LINKS.name)
"""Those of which all rows are there once it is known of whom each event is."""
VERSION = "row_version"
"""A column beside those of the table: the update's version."""
_FEW = "few"
_HEAP = 20_000


class BootRows:
    """The folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, name: str, updates: Sequence[RowUpdate]) -> None:
        """Keeps rows under a name that nobody else uses."""
        by_table: dict[str, list[RowUpdate]] = {name: [] for name in (_FEW, *LARGE)}
        for update in updates:
            table, _, _, withdrawn, _ = update
            by_table[_FEW if withdrawn or table not in LARGE else table].append(update)
        few = by_table.pop(_FEW, [])
        if few:
            (self._folder / f"{_FEW}-{name}").write_bytes(pack_updates(few))
        for table, of_table in by_table.items():
            if not of_table:
                continue
            batch = _columns(LARGE[table], of_table)
            path = str(self._folder / f"{table}-{name}.arrow")
            with pa.OSFile(path, "wb") as file, pa.ipc.new_file(file, batch.schema) as writer:
                writer.write_batch(batch)

    def large(self, names: Iterable[str] = LARGE) -> Iterator[tuple[Table, pa.Table]]:
        """(table, its rows with VERSION beside them), of each of these tables with many rows that has any."""
        for name in names:
            paths = sorted(self._folder.glob(f"{name}-*.arrow"))
            if paths:
                yield (
                    LARGE[name],
                    pa.concat_tables([pa.ipc.open_file(pa.memory_map(str(path))).read_all() for path in paths]),
                )

    def few(self) -> Iterator[list[RowUpdate]]:
        """All other updates, among them what takes rows away: in heaps, since each is a transaction."""
        heap: list[RowUpdate] = []
        for path in sorted(self._folder.glob(f"{_FEW}-*")):
            heap += unpack_updates(path.read_bytes())
            if len(heap) >= _HEAP:
                yield heap
                heap = []
        if heap:
            yield heap

    def remove(self) -> None:
        """They are in the tables now."""
        shutil.rmtree(self._folder)


def _columns(table: Table, updates: Sequence[RowUpdate]) -> pa.RecordBatch:
    columns = tuple(zip(*(update.row for update in updates), strict=True))
    batch = to_record_batch(table, TableBlock(table.name, 0, columns))
    versions = pa.array([update.version for update in updates], pa.int64())
    schema = arrow_schema(table).append(pa.field(VERSION, pa.int64()))
    return pa.RecordBatch.from_arrays([*batch.columns, versions], schema=schema)

"""Parquet files in an object store, and the manifest that says which of them are the tables.

| object | what it is |
| --- | --- |
| `LOCATION/manifest.json` | the files of each table, in their order; replaced in one step when all of them are there |
| `LOCATION/runs/RUN/...` | what one run of a job wrote |

A reader takes the manifest and then the files that it names: those of one run, whole. The run before it stays, for
readers that began before the manifest was replaced; older ones go. What a dead run left is named by nobody, and is
swept later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from pipelines.io.files.foreign import part_name
from pipelines.io.files.parquet_folder import sorted_parts
from pipelines.io.files.store import Store, open_store
from pipelines.io.outputs import StoreOutput
from pipelines.io.tables.staging import BLOCK_ORDERED, Shard, write_parquet
from schemas.arrow import MARK
from schemas.errors import OutputError
from schemas.tables import TABLES, Table

MANIFEST = "manifest.json"
RUNS = "runs"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What the tables are now.

    Attributes:
        run: the run that wrote them.
        before: the run before, whose files are still there; "" for none.
        tables: the names of each table's files within LOCATION, in the order of their rows.
    """

    run: str
    before: str
    tables: Mapping[str, Sequence[str]]


def read_manifest(output: StoreOutput) -> Manifest | None:
    """What the tables are now; None: nobody has written any.

    Raises:
        OutputError: there is a manifest, and it is not ours.
    """
    content = open_store(output.location).read(MANIFEST)
    if content is None:
        return None
    try:
        found = orjson.loads(content)
        if found["writer"] != MARK:
            raise ValueError("another writer's")
        return Manifest(found["run"], found["before"], {name: list(parts) for name, parts in found["tables"].items()})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise OutputError(f"output {output}: {MANIFEST} is not what Tidemark writes") from error


def known_manifest(output: StoreOutput) -> Manifest:
    """What the tables are now.

    Raises:
        OutputError: nobody has written any, or the manifest is not ours.
    """
    manifest = read_manifest(output)
    if manifest is None:
        raise OutputError(f"{output}: there is no {MANIFEST}; the main job writes it")
    return manifest


def run_folder(output: StoreOutput, run: str) -> str:
    """Where a run writes."""
    return f"{output.location}/{RUNS}/{run}"


def write_store(output: StoreOutput, run: str, work: Path, shards: Mapping[str, Sequence[Shard]]) -> dict[str, int]:
    """Make the tables from shards that lie in the run's own folder. Returns rows per table.

    Shards of tables that are not sorted stay where they are. The manifest comes last. Calling it again with the same
    shards gives the same tables.

    Args:
        output: the place.
        run: names this run.
        work: a local folder to work in.
        shards: by table; their paths are in `run_folder`.
    """
    store = open_store(output.location)
    rows, parts = {}, {}
    for table in TABLES:
        rows[table.name], parts[table.name] = _write_table(table, store, run, work, shards.get(table.name, ()))
    former = read_manifest(output)
    before = "" if former is None else former.before if former.run == run else former.run
    store.write(MANIFEST, orjson.dumps({"writer": MARK, **asdict(Manifest(run, before, parts))}))
    if former is not None and former.run != run and former.before:
        store.delete([file.name for file in store.list(f"{RUNS}/{former.before}/")])
    return rows


def named_files(output: StoreOutput, run: str) -> frozenset[str]:
    """The names of a run's files that are the tables now: none, unless it was the last to write them."""
    manifest = read_manifest(output)
    if manifest is None or manifest.run != run:
        return frozenset()
    return frozenset(name for parts in manifest.tables.values() for name in parts)


def fetch_parts(output: StoreOutput, manifest: Manifest, table: Table, folder: Path) -> list[Path]:
    """A table's files, copied into a local folder of their own there.

    Raises:
        OutputError: the manifest knows no such table.
    """
    if table.name not in manifest.tables:
        raise OutputError(f"output {output}: there is no table {table.name!r}")
    return open_store(output.location).fetch(manifest.tables[table.name], folder / table.name)


def _write_table(table: Table, store: Store, run: str, work: Path, shards: Sequence[Shard]) -> tuple[int, list[str]]:
    """Rows and the names of files."""
    ordered = sorted(shards, key=lambda shard: (shard.order, shard.path))
    names = [shard.path.removeprefix(f"{store.location}/") for shard in ordered]
    if names and table.name in BLOCK_ORDERED:
        return sum(shard.rows for shard in ordered), names
    folder = work / f"{table.name}-shards"
    local = [shard._replace(path=str(path)) for shard, path in zip(ordered, store.fetch(names, folder), strict=True)]
    rows, parts = 0, list[str]()
    for batches in sorted_parts(table, work, local) if local else [[]]:
        parts.append(f"{RUNS}/{run}/{table.name}/{part_name(len(parts))}")
        with store.writing(parts[-1]) as path:
            rows += write_parquet(table, path, batches)
    for shard in local:
        Path(shard.path).unlink()
    return rows, parts

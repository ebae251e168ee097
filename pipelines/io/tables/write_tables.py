"""Write the blocks of a bounded job to its output, atomically.

Comes last in a job's graph. Delivery: the output changes once, after every block has been made, and then holds each
block's rows exactly once, whatever was retried; until then, and if the job fails, it is what it was before.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import apache_beam as beam
from apache_beam.transforms.window import GlobalWindow
from apache_beam.typehints.decorators import no_annotations
from apache_beam.utils.windowed_value import WindowedValue

from pipelines.io.check_outputs import check_place
from pipelines.io.duckdb.database_file import write_database
from pipelines.io.files.parquet_folder import write_folder
from pipelines.io.files.parquet_store import write_store
from pipelines.io.outputs import BigQueryOutput, DuckDBOutput, Output, StoreOutput
from pipelines.io.tables.staging import Shard, ShardWriter
from pipelines.io.tables.staging_place import StagingPlace, new_staging_place
from schemas.block import TableBlock


class WriteSummary(NamedTuple):
    """What was written where. `repeated` counts, per table, rows that were reported again (failed events)."""

    output: str
    rows: dict[str, int]
    repeated: dict[str, int]


class WriteTables(beam.PTransform[tuple[beam.PCollection[TableBlock], ...], beam.PCollection[WriteSummary]]):
    """Turn bounded collections of `TableBlock` into the output. Returns a collection of one `WriteSummary`.

    Takes several collections rather than one, so that the shards of each are written in the process that makes the
    blocks: flattened first, every row would travel through the runner.

    All tables exist afterwards, empty ones too. Rows are sorted by key, those of `events` stand in the order of their
    blocks. Where the shards lie, and whether a worker makes the output of them or the caller once the job has ended
    (`finish_tables`; then the collection is empty), is the place's affair (staging_place.py).
    """

    def __init__(self, place: StagingPlace | Output) -> None:
        super().__init__()
        self._place = place if isinstance(place, StagingPlace) else new_staging_place(place)

    @no_annotations
    def expand(self, blocks: tuple[beam.PCollection[TableBlock], ...]) -> beam.PCollection[WriteSummary]:
        shards = [
            of_stage | f"WriteShards{number}" >> beam.ParDo(_WriteShards(self._place.folder))
            for number, of_stage in enumerate(blocks, start=1)
        ]
        start = blocks[0].pipeline | "Start" >> beam.Create([(0, None)])  # an output without rows is an output too
        finish = _NoteShards(self._place) if self._place.finished_by_launcher else _Finish(self._place)
        summary: beam.PCollection[WriteSummary] = (
            (*shards, start)
            | "WithStart" >> beam.Flatten()
            | "GatherShards" >> beam.GroupByKey()
            | "Finish" >> beam.ParDo(finish)
            | "Finished" >> beam.Reshuffle()  # what follows must not make the runner finish again
            | "RemoveStaging" >> beam.ParDo(_RemoveStaging(self._place))
        )
        return summary


def finish_tables(place: StagingPlace) -> WriteSummary:
    """Make the output of what a job noted that has ended, and take its shards away.

    Raises:
        OutputError: the job has noted nothing, or the output cannot be written any more.
    """
    summary = make_tables(place, place.noted_shards())
    place.remove()
    return summary


class _WriteShards(beam.DoFn):
    """Blocks into shards: (0, Shard)."""

    def __init__(self, staging: str) -> None:
        self._staging = staging
        self._writer: ShardWriter | None = None

    def start_bundle(self) -> None:
        self._writer = ShardWriter(self._staging)

    def process(self, block: TableBlock) -> Iterator[tuple[int, Shard]]:
        if self._writer is None:
            raise RuntimeError("process() before start_bundle()")
        for shard in self._writer.write(block):
            yield 0, shard

    def finish_bundle(self) -> Iterator[WindowedValue]:
        if self._writer is None:
            raise RuntimeError("finish_bundle() before start_bundle()")
        window = GlobalWindow()
        for shard in self._writer.close():
            yield WindowedValue((0, shard), window.max_timestamp(), (window,))


class _Finish(beam.DoFn):
    """All shards into the output. Idempotent: a runner that repeats it gets the same output."""

    def __init__(self, place: StagingPlace) -> None:
        self._place = place

    def process(self, gathered: tuple[int, Iterable[Shard | None]]) -> Iterator[WriteSummary]:
        yield make_tables(self._place, [shard for shard in gathered[1] if shard is not None])


class _NoteShards(beam.DoFn):
    """The list of all shards, for who makes the output of them."""

    def __init__(self, place: StagingPlace) -> None:
        self._place = place

    def process(self, gathered: tuple[int, Iterable[Shard | None]]) -> Iterator[WriteSummary]:
        self._place.note_shards(shard for shard in gathered[1] if shard is not None)
        return iter(())


class _RemoveStaging(beam.DoFn):
    def __init__(self, place: StagingPlace) -> None:
        self._place = place

    def process(self, summary: WriteSummary) -> Iterator[WriteSummary]:
        self._place.remove()  # a repeated attempt finds nothing left to remove
        yield summary


def make_tables(place: StagingPlace, shards: Sequence[Shard]) -> WriteSummary:
    """The output, of all its shards. Calling it again with the same gives the same."""
    with place.work_folder() as work:
        rows = _write(place, work, shards)
    staged: dict[str, int] = {}
    for shard in shards:
        staged[shard.table] = staged.get(shard.table, 0) + shard.rows
    repeated = {table: count - rows[table] for table, count in staged.items() if count != rows[table]}
    return WriteSummary(str(place.output), rows, repeated)


def _write(place: StagingPlace, work: Path, shards: Sequence[Shard]) -> dict[str, int]:
    output = place.output
    if isinstance(output, StoreOutput):
        return write_store(output, place.run, work, _by_table(shards))
    local = _by_table(place.local(shards, work))
    if isinstance(output, BigQueryOutput):
        from pipelines.io.bigquery.load import write_dataset

        return write_dataset(output, work, local)
    check_place(output)  # once more: somebody may have put something there meanwhile
    if isinstance(output, DuckDBOutput):
        return write_database(output.target(), work, local)
    return write_folder(output.target(), work, local)


def _by_table(shards: Iterable[Shard]) -> Mapping[str, Sequence[Shard]]:
    found: dict[str, list[Shard]] = {}
    for shard in shards:
        found.setdefault(shard.table, []).append(shard)
    return found

"""Write the blocks of a bounded job to its output, atomically.

Comes last in a job's graph. Delivery: the output changes once, after every block has been made, and then holds each
block's rows exactly once, whatever was retried; until then, and if the job fails, it is what it was before.
"""

import shutil
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
from pipelines.io.outputs import BigQueryOutput, DuckDBOutput, Output, local_target
from pipelines.io.tables.staging import Shard, ShardWriter, new_staging_folder
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
    blocks. The shards are on a local disk: the job's workers are processes of one machine.
    """

    def __init__(self, output: Output) -> None:
        super().__init__()
        self._output = output
        self._staging = str(new_staging_folder(local_target(output)))

    @no_annotations
    def expand(self, blocks: tuple[beam.PCollection[TableBlock], ...]) -> beam.PCollection[WriteSummary]:
        shards = [
            of_stage | f"WriteShards{number}" >> beam.ParDo(_WriteShards(self._staging))
            for number, of_stage in enumerate(blocks, start=1)
        ]
        start = blocks[0].pipeline | "Start" >> beam.Create([(0, None)])  # an output without rows is an output too
        summary: beam.PCollection[WriteSummary] = (
            (*shards, start)
            | "WithStart" >> beam.Flatten()
            | "GatherShards" >> beam.GroupByKey()
            | "Finish" >> beam.ParDo(_Finish(self._output, self._staging))
            | "Finished" >> beam.Reshuffle()  # what follows must not make the runner finish again
            | "RemoveStaging" >> beam.ParDo(_RemoveStaging(self._staging))
        )
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

    def __init__(self, output: Output, staging: str) -> None:
        self._output = output
        self._staging = staging

    def process(self, gathered: tuple[int, Iterable[Shard | None]]) -> Iterator[WriteSummary]:
        shards: dict[str, list[Shard]] = {}
        for shard in gathered[1]:
            if shard is not None:
                shards.setdefault(shard.table, []).append(shard)
        staging = Path(self._staging)
        staging.mkdir(parents=True, exist_ok=True)
        rows = self._write(staging, shards)
        staged = {table: sum(shard.rows for shard in of_table) for table, of_table in shards.items()}
        repeated = {table: count - rows[table] for table, count in staged.items() if count != rows[table]}
        yield WriteSummary(str(self._output), rows, repeated)

    def _write(self, staging: Path, shards: Mapping[str, Sequence[Shard]]) -> dict[str, int]:
        if isinstance(self._output, BigQueryOutput):
            from pipelines.io.bigquery.load import write_dataset

            return write_dataset(self._output, staging, shards)
        check_place(self._output)  # once more: somebody may have put something there meanwhile
        target = local_target(self._output)
        if isinstance(self._output, DuckDBOutput):
            return write_database(target, staging, shards)
        return write_folder(target, staging, shards)


class _RemoveStaging(beam.DoFn):
    def __init__(self, staging: str) -> None:
        self._staging = staging

    def process(self, summary: WriteSummary) -> Iterator[WriteSummary]:
        shutil.rmtree(self._staging, ignore_errors=True)  # a repeated attempt finds nothing left to remove
        yield summary

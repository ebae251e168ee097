"""The streaming job of a release to come: one stage more, with a state of its own. `python -m` this, as the command."""

import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any

import apache_beam as beam
from apache_beam.coders import VarIntCoder
from apache_beam.transforms.userstate import ReadModifyWriteStateSpec

from pipelines.options.profiles import ProfilesOptions, parse_profiles_options
from pipelines.stream import build_stream
from pipelines.stream_job import run_stream
from schemas.message import Message
from schemas.update import unpack_updates


def build(
    pipeline: beam.Pipeline, messages: Sequence[beam.PCollection[Message]], options: ProfilesOptions
) -> beam.PCollection[bytes]:
    """The graph, and beside its output the stage that counts rows."""
    updates: beam.PCollection[bytes] = build_stream(pipeline, messages, options)
    of_tables = updates | "OfTables" >> beam.FlatMap(_of_tables).with_output_types(tuple[str, int])
    _ = of_tables | "CountRows" >> beam.ParDo(_CountRows())
    return updates


def _of_tables(block: bytes) -> list[tuple[str, int]]:
    return list(Counter(update.table for update in unpack_updates(block)).items())


class _CountRows(beam.DoFn):
    SUM = ReadModifyWriteStateSpec("sum", VarIntCoder())

    def process(self, element: tuple[str, int], total: Any = beam.DoFn.StateParam(SUM)) -> None:
        total.write((total.read() or 0) + element[1])


if __name__ == "__main__":
    # By the module's own name: workers look there for its DoFn, not in `__main__`.
    from tests.integration import cluster_next_release

    sys.exit(run_stream(parse_profiles_options(sys.argv[1:]), cluster_next_release.build))

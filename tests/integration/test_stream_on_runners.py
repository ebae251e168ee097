"""The stream's graph on Prism and on Flink: the same tables as the bounded job's."""

from pathlib import Path

import apache_beam as beam
from apache_beam.transforms.window import TimestampedValue

from services.service import Running
from tests.laws.memory import World, united_worlds
from tests.stream.graphs import BUCKETS, milliseconds, run_graph, shuffled_stream
from tests.stream.simulation import Written, differences, expected
from transforms.state.outbox import Keyed
from transforms.stream.maintain import keyed_records

WORLDS = 24


def made(seed: int) -> World:
    return united_worlds(seed, WORLDS)


def check(world: World, stream: beam.PTransform, folder: Path, runner: str, arguments: list[str]) -> None:
    written = Written()
    for update in run_graph(world, stream, runner, folder, arguments):
        written.write(update)
    assert not differences(expected(world), written.tables())


def test_prism_ends_in_the_tables_of_the_bounded_job(prism_binary: Path, tmp_path: Path) -> None:
    world = made(3)
    folder = tmp_path / "rows"
    folder.mkdir()
    check(world, shuffled_stream(world, 3, steps=8), folder, "PrismRunner", [f"--prism_location={prism_binary}"])


class AllAtOnce(beam.PTransform):
    """The records of a world as bounded input: no watermark until they are all there, then its end."""

    def __init__(self, world: World) -> None:
        super().__init__()
        records, failures = world.parsed
        self._records = [(keyed, record[1]) for record in records for keyed in keyed_records([record], BUCKETS)]
        self._records += [(keyed, world.as_of) for keyed in keyed_records([], BUCKETS, failures)]

    def expand(self, begin: beam.pvalue.PBegin) -> beam.PCollection[Keyed]:
        created = begin.pipeline | "Create" >> beam.Create(self._records)
        return created | "Stamp" >> beam.MapTuple(_stamped)


def _stamped(record: Keyed, timestamp: int) -> TimestampedValue:
    return TimestampedValue(record, milliseconds(timestamp))


def test_flink_ends_in_the_tables_of_the_bounded_job(flink_job_server: Running, tmp_path: Path) -> None:
    world = made(4)
    folder = tmp_path / "rows"
    folder.mkdir()
    arguments = [
        f"--job_endpoint={flink_job_server.endpoints['jobs']}",
        "--environment_type=LOOPBACK",
        "--parallelism=2",
    ]
    check(world, AllAtOnce(world), folder, "PortableRunner", arguments)

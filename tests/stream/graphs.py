"""Runs worlds through the Beam graph, with a watermark that moves when a test says so."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import apache_beam as beam
import msgspec
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.runner import PipelineRunner
from apache_beam.testing.test_stream import TestStream
from apache_beam.transforms.window import TimestampedValue
from apache_beam.utils.timestamp import Timestamp

from schemas.update import RowUpdate, unpack_updates
from tests.laws.memory import World
from transforms.profiles.evaluate import Rules
from transforms.state.horizon import Horizon
from transforms.state.outbox import Keyed
from transforms.stream.maintain import MaintainTables, keyed_records
from transforms.stream.settings import FixedRules, StreamSettings

BUCKETS = 4
YEARS_US = 10**15
_DECODER = msgspec.msgpack.Decoder(list[RowUpdate])


class FixedClock:
    """A clock that stands still: what is later than it has not happened."""

    def __init__(self, now_us: int) -> None:
        self.now_us = now_us

    def __call__(self) -> int:
        return self.now_us


class RestlessSettings(StreamSettings):
    """Cells leave behind whatever the watermark has passed, also what may still change."""

    def horizon(self) -> Horizon:
        return Horizon(0, least=2, grid_us=24_000_000, forgets=False)


def restless(settings: StreamSettings) -> RestlessSettings:
    return RestlessSettings(**{field.name: getattr(settings, field.name) for field in fields(settings)})


def settings_of(world: World) -> StreamSettings:
    return StreamSettings(
        rules=FixedRules(Rules(world.definitions)),
        clock=FixedClock(world.as_of),
        allowed_lateness_us=YEARS_US,
        clock_skew_us=0,
        stitch_window_us=world.stitch_window,
        max_merges=world.max_merges,
        buckets=BUCKETS,
        timer_grid_us=0,
    )


def shuffled_stream(world: World, seed: int, steps: int) -> TestStream:
    """The records in random order, the watermark moving at random in between, to as_of and then to the end."""
    chance = random.Random(seed)  # noqa: S311 - test data, no secret
    records, failures = world.parsed
    chance.shuffle(records)
    chance.shuffle(failures)
    stream, watermark = TestStream(), 0
    size = -(-len(records) // steps)
    for number, start in enumerate(range(0, len(records), size)):
        part = records[start : start + size]
        elements = [
            TimestampedValue(keyed, milliseconds(max(watermark, record[1])))
            for record in part
            for keyed in keyed_records([record], BUCKETS)
        ]
        failed = keyed_records([], BUCKETS, failures[number::steps])
        elements += [TimestampedValue(keyed, milliseconds(max(watermark, part[0][1]))) for keyed in failed]
        stream = stream.add_elements(elements)
        target = chance.choice(records)[1]
        if chance.random() < 0.5 and target > watermark:
            watermark = milliseconds(target).micros
            stream = stream.advance_watermark_to(Timestamp(micros=watermark))
    end = milliseconds(max(world.as_of, watermark) + 1)
    return stream.advance_watermark_to(end).advance_watermark_to_infinity()


def milliseconds(micros: int) -> Timestamp:
    """The first whole millisecond at or after an instant: what a test stream can say."""
    return Timestamp(micros=-(-micros // 1000) * 1000)


def run_graph(
    world: World,
    stream: beam.PTransform,
    runner: PipelineRunner | str,
    folder: Path,
    arguments: Sequence[str] = (),
    settings: StreamSettings | None = None,
) -> list[RowUpdate]:
    """Every row that the graph wrote."""
    options = PipelineOptions(["--streaming", *arguments])
    with beam.Pipeline(runner=runner, options=options) as pipeline:
        _ = (
            pipeline
            | "Stream" >> stream
            | "Typed" >> beam.Map(_keyed).with_output_types(tuple[str, bytes])  # or Prism finds no key
            | "MaintainTables" >> MaintainTables(settings or settings_of(world))
            | "Keep" >> beam.ParDo(KeepUpdates(str(folder)))
        )
    return [update for file in sorted(folder.iterdir()) for update in _DECODER.decode(file.read_bytes())]


def _keyed(element: Keyed) -> Keyed:
    return element


class KeepUpdates(beam.DoFn):
    """Writes what comes by to files of a folder: also from the processes of other runners."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def start_bundle(self) -> None:
        self._found: list[RowUpdate] = []

    def process(self, packed: bytes) -> None:
        self._found += unpack_updates(packed)

    def finish_bundle(self) -> None:
        if self._found:
            name = f"{random.getrandbits(64):016x}"
            (Path(self._folder) / name).write_bytes(msgspec.msgpack.encode(self._found))


_LOOKUPS_THAT_FAIL = (3, 40, 41, 150, 400, 900)
_LOSSES: dict[str, "Losses"] = {}
"""By name: what is pickled finds the one of its test again."""


class Losses:
    """When a look-up of one test fails, and how often that has happened."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lookups = self.failures = 0
        _LOSSES[name] = self

    def __reduce__(self) -> Any:
        return _losses_of, (self.name,)

    def happen(self) -> None:
        self.lookups += 1
        if self.lookups in _LOOKUPS_THAT_FAIL:
            self.failures += 1
            raise ConnectionError("a worker was lost")


def _losses_of(test: str) -> Losses:
    return _LOSSES[test]


class FlakyVersions(dict[str, str]):
    """Segment versions whose look-up fails now and then: in the middle of a bundle, when cells have changed already."""

    def __init__(self, versions: Mapping[str, str], losses: Losses) -> None:
        super().__init__(versions)
        self._losses = losses

    def __getitem__(self, segment: str) -> str:
        self._losses.happen()
        return super().__getitem__(segment)


class FlakyRules(FixedRules):
    """Rules of which a bundle may fail; the runner plays it again."""

    def __init__(self, rules: Rules, losses: Losses) -> None:
        super().__init__(rules)
        object.__setattr__(self, "losses", losses)

    def current(self) -> Rules:
        rules = Rules(self.rules.definitions)
        rules.versions = FlakyVersions(rules.versions, self.losses)
        rules.account_versions = FlakyVersions(rules.account_versions, self.losses)
        return rules

    def __reduce__(self) -> Any:
        return _flaky_rules, (self.rules.definitions, self.losses)


def _flaky_rules(definitions: Any, losses: Losses) -> FlakyRules:
    return FlakyRules(Rules(definitions), losses)

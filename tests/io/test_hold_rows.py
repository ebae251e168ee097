"""Rows wait for a checkpoint where the runner takes them: what Flink is told, and that nothing else changes."""

from __future__ import annotations

from typing import Any

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability import common_urns
from apache_beam.portability.api import beam_runner_api_pb2 as api
from apache_beam.testing.util import assert_that, equal_to

from pipelines.io.duckdb.stream_writer import Hold, WriteOptions
from pipelines.io.outputs import BigQueryOutput
from pipelines.io.tables.hold_rows import HoldRows
from pipelines.io.tables.write_updates import WriteUpdates
from pipelines.options.beam import takes_checkpoints

PAR_DO = common_urns.primitives.PAR_DO.urn
RESHUFFLE = common_urns.composites.RESHUFFLE.urn
STABLE = common_urns.requirements.REQUIRES_STABLE_INPUT.urn


def graph(hold: Hold) -> Any:
    pipeline = beam.Pipeline(options=PipelineOptions([]))
    packed = pipeline | beam.Create([b""])
    _ = packed | WriteUpdates(BigQueryOutput("shop-project", "shop"), WriteOptions(hold=hold))
    return pipeline.to_runner_api()


def stable(proto: Any) -> list[Any]:
    """The ParDos that need stable input."""
    return [
        transform
        for transform in proto.components.transforms.values()
        if transform.spec.urn == PAR_DO and api.ParDoPayload.FromString(transform.spec.payload).requires_stable_input
    ]


def test_what_comes_before_the_output_needs_stable_input_in_a_stage_of_its_own() -> None:
    proto = graph("checkpoint")
    [held] = stable(proto)
    [taken] = held.inputs.values()
    exchanges = [one for one in proto.components.transforms.values() if taken in one.outputs.values()]
    assert RESHUFFLE in {one.spec.urn for one in exchanges} or any(
        proto.components.transforms[part].spec.urn == RESHUFFLE for one in exchanges for part in one.subtransforms
    )
    [given] = held.outputs.values()
    readers = [one.unique_name for one in proto.components.transforms.values() if given in one.inputs.values()]
    assert any("UnpackUpdates" in name for name in readers)
    assert STABLE in proto.requirements


@pytest.mark.parametrize(("hold", "exchanges"), [("exchange", True), ("", False)])
def test_without_checkpoints_rows_wait_for_an_exchange_or_for_nothing(hold: Hold, *, exchanges: bool) -> None:
    proto = graph(hold)
    assert stable(proto) == []
    assert STABLE not in proto.requirements
    names = [one.unique_name for one in proto.components.transforms.values() if one.spec.urn == RESHUFFLE]
    assert any("HoldRows/Exchange" in name for name in names) is exchanges


def test_what_is_exchanged_passes_as_it_is() -> None:
    with beam.Pipeline(runner="FnApiRunner") as pipeline:
        rows = pipeline | beam.Create([b"one", b"two"]) | HoldRows("exchange")
        assert_that(rows, equal_to([b"one", b"two"]))


@pytest.mark.parametrize(
    ("arguments", "takes"),
    [
        (["--runner=PortableRunner", "--checkpointing_interval=1000"], True),
        (["--runner", "FlinkRunner", "--checkpointing_interval", "60000"], True),
        (["--runner=PortableRunner", "--job_endpoint=localhost:8099"], False),
        (["--runner=FlinkRunner", "--checkpointing_interval=-1"], False),
        (["--runner=DataflowRunner"], False),
        ([], False),
    ],
)
def test_which_runners_take_checkpoints(arguments: list[str], *, takes: bool) -> None:
    assert takes_checkpoints(arguments) is takes

"""Hold rows back until no failure can undo them, on a runner that goes on from what it has kept.

Such a runner repeats what came after that, and not as it was: partitions are read in another order, a bundle has other
elements, timers fire at another moment. Rows that were written at once would then be of a past that never was: a stay
that the repetition does not know, an event at a profile that it has since left. No version tells them from right ones,
and nothing takes them back. So a row waits:

| runner | goes on from | a row waits for |
| --- | --- | --- |
| Flink | its last checkpoint | a checkpoint that has it to be complete |
| Dataflow | its last committed bundles | its bundle to be committed: what an exchange gives out is |
| Prism and other local ones | nothing | nothing |

Comes between what makes rows and what writes them. Delivery: what is given out is given out again after a failure, the
same rows with the same versions.
"""

from typing import Any

import apache_beam as beam
from apache_beam.portability import common_urns
from apache_beam.runners.pipeline_context import PipelineContext
from apache_beam.typehints.decorators import no_annotations

from pipelines.io.duckdb.stream_writer import Hold


class HoldRows(beam.PTransform[beam.PCollection[bytes], beam.PCollection[bytes]]):
    """Packed `RowUpdate`s in and out, once they are stable.

    Args:
        until: what they wait for. With "checkpoint" the runner must take them (`--checkpointing_interval`) in the mode
            EXACTLY_ONCE, its default; else Beam's Flink runner refuses the job.
    """

    def __init__(self, until: Hold) -> None:
        super().__init__()
        self._until = until

    @no_annotations
    def expand(self, packed: beam.PCollection[bytes]) -> beam.PCollection[bytes]:
        if not self._until:
            return packed
        # Flink holds back what a whole stage takes in. The exchange makes a stage of its own of what comes after it:
        # without it, that would be what the stage of the profiles takes in.
        apart: beam.PCollection[bytes] = packed | "Exchange" >> beam.Reshuffle()
        if self._until == "exchange":
            return apart
        stable: beam.PCollection[bytes] = apart | "UntilCheckpoint" >> _PassStable()
        return stable


class _PassStable(beam.ParDo):
    """Passes on what is stable: Beam's model has that word, and so have its runners, but its Python SDK has not."""

    def __init__(self) -> None:
        super().__init__(_Pass())  # type: ignore[no-untyped-call] # Beam's

    def to_runner_api_parameter(  # type: ignore[override] # as beam.ParDo has it
        self, context: PipelineContext, **named: Any
    ) -> tuple[str, Any]:
        urn, payload = super().to_runner_api_parameter(context, **named)
        payload.requires_stable_input = True
        context.add_requirement(common_urns.requirements.REQUIRES_STABLE_INPUT.urn)
        return urn, payload


class _Pass(beam.DoFn):
    def __init__(self) -> None:
        """Nothing to keep; typed, which Beam's is not."""

    def process(self, element: bytes) -> tuple[bytes]:
        return (element,)

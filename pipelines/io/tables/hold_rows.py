"""Hold rows back until a checkpoint has them, on a runner that starts again from its last checkpoint.

Such a runner (Flink) repeats what came after the checkpoint, and not as it was: partitions are read in another order,
timers fire at another moment. Rows that were written at once would then be of a past that never was: a stay that the
repetition does not know, an event at a profile that it has since left. No version tells them from right ones, and
nothing takes them back. So a row is written when a checkpoint is complete that it follows from; a failure then
never leads to before that. On other runners there is no such past, and rows pass at once: Prism keeps no state at all.

Comes between what makes rows and what writes them. Delivery: what is given out is given out again after a failure, the
same rows with the same versions. A row comes with the first checkpoint after it was made.
"""

from typing import Any

import apache_beam as beam
from apache_beam.portability import common_urns
from apache_beam.runners.pipeline_context import PipelineContext
from apache_beam.typehints.decorators import no_annotations


class HoldRows(beam.PTransform[beam.PCollection[bytes], beam.PCollection[bytes]]):
    """Packed `RowUpdate`s in and out, once they are stable.

    The runner must take checkpoints (`--checkpointing_interval`) in the mode EXACTLY_ONCE, its default; else Beam's
    Flink runner refuses the job.
    """

    @no_annotations
    def expand(self, packed: beam.PCollection[bytes]) -> beam.PCollection[bytes]:
        # Flink holds back what a whole stage takes in. The exchange makes a stage of its own of what comes after it:
        # without it, that would be what the stage of the profiles takes in.
        apart = packed | "Exchange" >> beam.Reshuffle()
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

"""The rule as most people would write it on Beam's state and timers: json, jsonschema, a stateful DoFn, on Prism.

`python -m benchmarks.idiomatic_stream FILE PRISM`. Prints the seconds that the pipeline ran.
"""

import sys
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import apache_beam as beam
from apache_beam.coders import PickleCoder
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.transforms.timeutil import TimeDomain
from apache_beam.transforms.userstate import ReadModifyWriteStateSpec, TimerSpec, on_timer
from apache_beam.utils.timestamp import Timestamp

from benchmarks.idiomatic_beam import ParseAndValidate
from benchmarks.one_rule import DAY, Step


class FollowVisitors(beam.DoFn):
    """Who enters when a product is viewed, and leaves when it is bought or a day is over."""

    VIEWED = ReadModifyWriteStateSpec("viewed", PickleCoder())
    DUE = TimerSpec("due", TimeDomain.WATERMARK)

    def process(
        self,
        element: tuple[str, Step],
        state: Any = beam.DoFn.StateParam(VIEWED),
        due: Any = beam.DoFn.TimerParam(DUE),
    ) -> Iterator[tuple[str, str]]:
        who, (when, is_order, products) = element
        viewed: dict[str, float] = state.read() or {}
        was_member = bool(viewed)
        until = (datetime.fromisoformat(when) + DAY).timestamp()
        for product in products:
            if is_order:
                viewed.pop(product, None)
            else:
                viewed[product] = max(until, viewed.get(product, until))
        state.write(viewed)
        if viewed:
            due.set(Timestamp(max(viewed.values())))
        if bool(viewed) != was_member:
            yield who, "entered" if viewed else "exited"

    @on_timer(DUE)
    def pass_time(
        self, who: str = beam.DoFn.KeyParam, state: Any = beam.DoFn.StateParam(VIEWED)
    ) -> Iterator[tuple[str, str]]:
        if state.read():
            state.clear()
            yield who, "exited"


def main(path: str, prism: str) -> None:
    """Runs it."""
    options = PipelineOptions(["--runner=PrismRunner", f"--prism_location={prism}", "--streaming"])
    pipeline = beam.Pipeline(options=options)
    _ = (
        pipeline
        | "Read" >> beam.io.ReadFromText(path, coder=beam.coders.BytesCoder())
        | "ParseAndValidate" >> beam.ParDo(ParseAndValidate()).with_output_types(tuple[str, Any])
        | "FollowVisitors" >> beam.ParDo(FollowVisitors())
        | "Count" >> beam.combiners.Count.Globally()
    )
    started = time.perf_counter()
    pipeline.run().wait_until_finish()
    print("seconds", time.perf_counter() - started, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

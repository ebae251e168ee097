"""The rule as most people would write it on Beam: ReadFromText, json, jsonschema, GroupByKey, a DoFn.

`python -m benchmarks.idiomatic_beam FILE`
"""

import json
import sys
from collections.abc import Iterable, Iterator

import apache_beam as beam
from apache_beam.coders import BytesCoder
from apache_beam.options.pipeline_options import PipelineOptions
from jsonschema import Draft202012Validator

from benchmarks.one_rule import SCHEMA, Step, is_member, step_of
from pipelines.runners import LOCAL_RUNNER


class ParseAndValidate(beam.DoFn):
    """A line to (who, step), if it is valid and of interest."""

    def setup(self) -> None:
        self._validator = Draft202012Validator(SCHEMA)

    def process(self, line: bytes) -> Iterator[tuple[str, Step]]:
        try:
            message = json.loads(line)
        except ValueError:
            return
        if self._validator.is_valid(message):
            step = step_of(message)
            if step is not None:
                yield step


class FindMembers(beam.DoFn):
    """Everyone's steps to the members."""

    def process(self, steps: tuple[str, Iterable[Step]]) -> Iterator[str]:
        if is_member(steps[1]):
            yield steps[0]


def main(path: str) -> None:
    """Runs it in two worker processes and prints how many members there are."""
    workers = ["--direct_running_mode=multi_processing", "--direct_num_workers=2"]
    with beam.Pipeline(options=PipelineOptions([f"--runner={LOCAL_RUNNER}", *workers])) as pipeline:
        _ = (
            pipeline
            | "Read" >> beam.io.ReadFromText(path, coder=BytesCoder())
            | "ParseAndValidate" >> beam.ParDo(ParseAndValidate())
            | "ByPerson" >> beam.GroupByKey()
            | "FindMembers" >> beam.ParDo(FindMembers())
            | "Count" >> beam.combiners.Count.Globally()
            | "Print" >> beam.Map(lambda number: print(f"members {number}", flush=True))
        )


if __name__ == "__main__":
    main(sys.argv[1])

"""The rule on Bytewax 0.21, one worker, with the fastest decoder and validator there are.

`python -m benchmarks.bytewax_flow FILE`
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import bytewax.operators as op
import orjson
from bytewax.dataflow import Dataflow
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition
from bytewax.testing import TestingSink, run_main
from jsonschema_rs import Draft202012Validator

from benchmarks.one_rule import SCHEMA, Step, is_member, step_of

BATCH_LINES = 1000


class _Lines(StatefulSourcePartition[bytes, None]):
    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")

    def next_batch(self) -> list[bytes]:
        lines = list(islice(self._file, BATCH_LINES))
        if not lines:
            raise StopIteration
        return lines

    def snapshot(self) -> None:
        return None

    def close(self) -> None:
        self._file.close()


class LinesOfFile(FixedPartitionedSource[bytes, None]):
    """The lines of one file, as bytes: the files hold some that are not UTF-8."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def list_parts(self) -> list[str]:
        return ["file"]

    def build_part(self, step_id: str, for_part: str, resume_state: None) -> _Lines:
        return _Lines(self._path)


def parse_and_validate(lines: list[bytes]) -> Iterator[tuple[str, Step]]:
    """Lines to (who, step), where they are valid and of interest."""
    is_valid = VALIDATOR.is_valid
    for line in lines:
        try:
            message = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue
        if is_valid(message):
            step = step_of(message)
            if step is not None:
                yield step


def collect(steps: list[Step], step: Step) -> list[Step]:
    """One more step of a person."""
    steps.append(step)
    return steps


VALIDATOR = Draft202012Validator(SCHEMA)


def main(path: str) -> None:
    """Runs it and prints how many members there are."""
    found: list[Iterable[str]] = []
    flow = Dataflow("viewed_not_bought")
    lines = op.input("read", flow, LinesOfFile(Path(path)))
    steps = op.flat_map_batch("parse_and_validate", lines, parse_and_validate)
    people = op.fold_final("collect", steps, list, collect)
    members = op.filter("rule", people, lambda person: is_member(person[1]))
    op.output("found", members, TestingSink(found))
    run_main(flow)
    print(f"members {len(found)}")


if __name__ == "__main__":
    main(sys.argv[1])

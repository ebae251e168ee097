"""Sources of a job that goes on from savepoints: each is started once, and found again whatever else is read."""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from typing import Any

import apache_beam as beam
from apache_beam.portability import common_urns
from hypothesis import given
from hypothesis import strategies as st

from pipelines.io.locations import parse_input
from pipelines.io.stream.read_sources import ReadMessages, source_labels
from pipelines.io.stream.source import Progress
from pipelines.io.stream.source_options import SourceOptions
from pipelines.io.stream.start_sources import _StartEach, readers_of

TEXTS = ("kafka:shop:9092/events", "kafka:shop:9092/orders", "watch:in/*.ndjson", "amqp://shop/?queue=events")


class Tracker:
    """What the runner keeps of the stage, between its passes and over savepoints."""

    def __init__(self) -> None:
        self.progress = Progress({})
        self.deferred = 0

    def current_restriction(self) -> Progress:
        return self.progress

    def try_claim(self, positions: dict[str, int]) -> bool:
        self.progress = self.progress.move_to(positions)
        return True

    def defer_remainder(self, _by: Any) -> None:
        self.deferred += 1

    def set_watermark(self, _at: Any) -> None:
        """Is the estimator, too."""


@given(st.lists(st.lists(st.sampled_from(TEXTS), unique=True), max_size=8), st.integers(1, 3))
def test_a_source_is_started_when_it_was_not_there_in_the_job_before(jobs: list[list[str]], passes: int) -> None:
    tracker = Tracker()
    started: Counter[str] = Counter()
    for texts in jobs:
        stage = _StartEach(dict.fromkeys(source_labels(texts), 2))
        for _ in range(passes):
            for name, number, of in stage.process("", tracker, tracker):
                assert (number, of) in ((0, 2), (1, 2))
                started[name] += 1
    assert tracker.deferred == passes * len(jobs), "it goes on looking"
    for text in TEXTS:
        (label,) = source_labels([text])
        stays = sum(is_in for is_in, _ in groupby(text in texts for texts in jobs))
        assert started[label] == 2 * stays


@given(st.permutations(TEXTS), st.sets(st.sampled_from(TEXTS)))
def test_a_label_does_not_depend_on_the_other_inputs(texts: list[str], gone: set[str]) -> None:
    labels = dict(zip(texts, source_labels(texts), strict=True))
    assert len(set(labels.values())) == len(TEXTS)
    left = [text for text in texts if text not in gone]
    assert source_labels(left) == [labels[text] for text in left]


def test_the_same_input_twice_has_two_labels_and_a_password_none() -> None:
    first, second = source_labels(["amqp://ann:old@shop/?queue=q", "amqp://ben:new@shop/?queue=q"])
    assert second == f"{first}-2"
    assert source_labels(["amqp://shop/?queue=q"]) == [first]


def graph_of(texts: list[str]) -> tuple[int, set[str]]:
    """How many operators begin a job with these inputs, and the labels of what reads."""
    pipeline = beam.Pipeline()
    options = SourceOptions(goes_on=True)
    _ = pipeline | "ReadMessages" >> ReadMessages([parse_input(text) for text in texts], options)
    transforms = pipeline.to_runner_api().components.transforms.values()
    impulses = [one for one in transforms if one.spec.urn == common_urns.primitives.IMPULSE.urn]
    return len(impulses), {one.unique_name for one in transforms if "Read watch-" in one.unique_name}


def test_whatever_the_inputs_one_operator_begins_the_job_and_what_reads_an_input_keeps_its_name() -> None:
    one, more = graph_of(["watch:in/*.ndjson"]), graph_of(["watch:a/*.ndjson", "watch:in/*.ndjson", "watch:b/*.avro"])
    assert one[0] == more[0] == 1
    assert {name.split("/")[1] for name in one[1]} == {"Read watch-dcd0d782"}
    assert one[1] < more[1]


def test_a_start_is_for_its_source_alone() -> None:
    assert list(readers_of(("kafka-1", 1, 4), "kafka-1")) == [(1, 4)]
    assert list(readers_of(("kafka-1", 1, 4), "kafka-2")) == []

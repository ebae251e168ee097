"""The example of a pipeline of one's own works, and is short enough to be read."""

import json
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to

from examples import in_your_pipeline
from transforms import face


def test_it_shows_the_members(capsys: pytest.CaptureFixture[str]) -> None:
    in_your_pipeline.main()
    shown = capsys.readouterr().out.splitlines()
    assert "('recent_buyers', 'user:ada')" in shown
    assert "('viewed_not_purchased', 'user:bo')" in shown


def test_its_transform_works_on_other_events(tmp_path: Path) -> None:
    segments, traits = tmp_path / "segments", tmp_path / "traits"
    segments.mkdir()
    traits.mkdir()
    (segments / "seen.yaml").write_text("when: page().count() >= 1\n")
    line = {"type": "page", "messageId": "m", "userId": "u", "timestamp": "2026-01-01T00:00:00Z"}
    with TestPipeline(runner="FnApiRunner") as pipeline:
        events = pipeline | beam.Create([json.dumps(line).encode(), b"no event"])
        assert_that(in_your_pipeline.add_segments(events, segments, traits), equal_to([("seen", "user:u")]))


def test_the_face_is_explicit() -> None:
    assert all(hasattr(face, name) for name in face.__all__)
    assert sorted(face.__all__) == face.__all__ or len(set(face.__all__)) == len(face.__all__)

"""A folder with one rule, for a job to run in."""

from pathlib import Path

import pytest

from tests.jobs.job import write_segment

VIEWERS = "event('Product Viewed').within(1 hour).count() >= 1"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """`segments/viewers.yaml`: viewed a product in the last hour."""
    write_segment(tmp_path, "viewers", VIEWERS)
    return tmp_path

"""What a local job does not import, and that it is there for whoever asks for it later."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pipelines.import_beam import names_a_store

SEEN = """
import sys
from pipelines.import_beam import import_beam
import_beam(stores=sys.argv[1] == "stores")
from apache_beam.io.filesystems import FileSystems
def scheme(path):
    try:
        return FileSystems.get_filesystem(path).scheme()
    except ValueError:
        return None
places = ["gs://b/f", "s3://b/f", "/f"]
print([scheme(place) for place in places], "pandas" in sys.modules)
import apache_beam.io.aws.s3filesystem, apache_beam.io.gcp.gcsfilesystem, pandas
print([scheme(place) for place in places], "pandas" in sys.modules)
"""


@pytest.mark.parametrize(("needed", "first"), [("stores", "['gs', 's3', None]"), ("", "[None, None, None]")])
def test_what_is_left_out_comes_when_it_is_asked_for(needed: str, first: str) -> None:
    done = subprocess.run([sys.executable, "-c", SEEN, needed], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [f"{first} False", "['gs', 's3', None] True"]


def test_a_store_is_told_by_its_place() -> None:
    assert names_a_store(["--input", "a.ndjson", "--staging=gs://bucket/folder"])
    assert not names_a_store(["--input", "/data/*.ndjson", "--output", "duckdb:out.duckdb"])

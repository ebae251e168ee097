"""Mistakes are told before Beam is imported, which takes seconds."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from pipelines.options.beam import unknown_options
from tests.jobs.job import write_lines, write_segment
from tests.jobs.messages import track

HEAVY = ("apache_beam", "duckdb", "google.api_core", "grpc", "matplotlib", "numpy", "pyarrow", "rapidfuzz")
TOLD = """
import sys
from {module} import main
try:
    status = main(sys.argv[1:])
except SystemExit as end:
    status = end.code
print(status, *(name for name in {heavy} if name in sys.modules))
"""


def told(folder: Path, module: str, *arguments: str) -> tuple[str, str]:
    """The exit status, followed by what heavy was imported; and what the command said."""
    script = TOLD.format(module=module, heavy=HEAVY)
    ran = subprocess.run(
        [sys.executable, "-c", script, *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return ran.stdout.splitlines()[-1], ran.stderr


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    write_lines(folder / "events" / "a.ndjson", [track("m1", "Product Viewed")])
    write_segment(folder, "broken", "count(")
    return folder


GOOD = {"--input": "events/*.ndjson", "--segments": "segments", "--output": "duckdb:out.duckdb"}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"--untanned": "fail"}, "--untanned: there is no such option; did you mean --unplanned?"),
        ({"--runer": "DirectRunner"}, "--runer: there is no such option; did you mean --runner?"),
        ({"--max_merges": "0"}, "--max_merges 0: expected a number of at least 1"),
        ({"--segments": "nowhere"}, "nowhere:1:1: there is no such directory"),
        ({"--input": "events/*.csv"}, "--input events/*.csv: unknown extension '.csv'"),
        ({"--input": "none/*.ndjson"}, "--input none/*.ndjson: 'none/*.ndjson' matches no file"),
        ({"--output": "duckdb"}, "output 'duckdb': expected duckdb:PATH"),
        ({"--cache": "rediz://here"}, "--cache: expected redis://HOST:PORT/DB"),
        ({}, "segments/broken.yaml:"),
    ],
)
def test_the_main_job_tells_a_mistake(shop: Path, wrong: dict[str, str], said: str) -> None:
    arguments = [f"{name}={value}" for name, value in {**GOOD, **wrong}.items()]
    status, error = told(shop, "pipelines.profiles", *arguments)
    assert status == "2"
    assert said in error


@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        ("pipelines.preview", ("--input=events/*.ndjson", "--segment=nowhere.yaml")),
        ("pipelines.report", ("--input=here", "--output=page.html")),
        ("pipelines.activate", ("--input=here", "--destinations=.")),
        ("pipelines.audit", ("--input=here",)),
        ("pipelines.enrich", ("--inptu=here",)),
        ("pipelines.export", ("--input=here",)),
        ("pipelines.duplicates", ("--input=here",)),
        ("pipelines.predict", ("--input=here",)),
        ("pipelines.content", ("--inptu=here",)),
        ("pipelines.cache", ("--inptu=here",)),
        ("pipelines.commands", ("profiles", "--input=none/*.ndjson")),
        ("pipelines.commands", ("porfiles",)),
    ],
)
def test_so_does_every_command(shop: Path, module: str, arguments: tuple[str, ...]) -> None:
    status, error = told(shop, module, *arguments)
    assert status.split()[0] == "2"
    assert not {"apache_beam", "google.api_core", "grpc", "matplotlib"} & set(status.split())
    assert error


def test_a_preview_of_local_files_needs_no_beam(shop: Path) -> None:
    segment = write_segment(shop / "previewed", "viewers", "event('Product Viewed').count() >= 1")
    status, error = told(shop, "pipelines.preview", "--input=events/*.ndjson", f"--segment={segment}")
    assert (status.split()[0], error) == ("0", "")
    assert not {"apache_beam", "google.api_core", "grpc", "matplotlib"} & set(status.split())


def test_beams_option_names_are_known_without_it() -> None:
    beam = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for options in PipelineOptions.__subclasses__():
        options._add_argparse_args(beam)
    given = [
        part for action in beam._actions for part in (action.option_strings[0], *(["1"] if action.nargs != 0 else []))
    ]
    assert list(unknown_options(argparse.ArgumentParser(add_help=False), given)) == []

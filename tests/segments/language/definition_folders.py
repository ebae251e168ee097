"""Writes and loads definition files in the working directory."""

import textwrap
from pathlib import Path

import pytest

from schemas.errors import DefinitionErrors
from transforms.segments.language import ast
from transforms.segments.language.definitions import load_definitions

ORDERED = "event('Order Completed').count() >= 1"


def write(name: str, text: str) -> None:
    Path(name).write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")


def load() -> ast.Definitions:
    return load_definitions("segments", "traits").definitions


def segment(text: str) -> ast.SegmentDefinition:
    write("segments/s.yaml", text)
    return load().segments[0]


def errors() -> str:
    with pytest.raises(DefinitionErrors) as caught:
        load()
    return str(caught.value)


def headlines(text: str, name: str = "segments/s.yaml") -> list[str]:
    write(name, text)
    with pytest.raises(DefinitionErrors) as caught:
        load()
    return [problem.headline() for problem in caught.value.problems]

"""What is said for SendGrid, and for the platforms that speak Liquid, run by the engines of their families."""

from __future__ import annotations

import html
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from services.building import find_tool, run_tool
from tests.content.blocks import blocks, people
from tests.content.engines import data_of
from transforms.content.platforms import say_block
from transforms.content.read import read_block
from transforms.content.render import Person, render
from transforms.segments.language.errors import SourceFile

pytestmark = pytest.mark.integration

HERE = Path(__file__).parent / "content_engines"


class Node:
    """One process for all cases."""

    def __init__(self, folder: Path) -> None:
        for name in ("package.json", "package-lock.json", "render.js"):
            shutil.copy(HERE / name, folder)
        run_tool(["npm", "ci", "--silent", "--no-audit", "--no-fund"], cwd=folder)
        command = [find_tool("node"), "render.js"]
        self.process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )

    def render(self, engine: str, source: str, data: dict[str, Any]) -> str:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"engine": engine, "source": source, "data": data}) + "\n")
        self.process.stdin.flush()
        text: str = json.loads(self.process.stdout.readline())
        return text


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    started = Node(tmp_path_factory.mktemp("engines"))
    with started.process:
        yield started
        started.process.kill()


@settings(max_examples=300)
@given(template=blocks(), person=people())
def test_sendgrid(node: Node, template: str, person: Person) -> None:
    source = SourceFile("block.liquid", template)
    body = read_block(source)
    data = {**person.profile, "computed": dict(person.computed), "segments": dict.fromkeys(person.segments, True)}
    said = say_block(body, "sendgrid", source, {})
    assert html.unescape(node.render("handlebars", said, data)) == html.unescape(render(body, person))


@settings(max_examples=300)
@given(template=blocks(), person=people())
def test_customerio(node: Node, template: str, person: Person) -> None:
    source = SourceFile("block.liquid", template)
    body = read_block(source)
    said = say_block(body, "customerio", source, {})
    # What is missing is left out: to this engine null would be less than 1, to Ruby's it is not.
    customer = {name: value for name, value in data_of(person).items() if value is not None}
    data = {"customer": {**customer, "segments": sorted(person.segments)}}
    assert html.unescape(node.render("liquid", said, data)) == html.unescape(render(body, person))

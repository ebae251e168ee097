"""The documentation tells the truth about commands, options, targets, files and failure reasons."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from pipelines.options.profiles import profiles_argument_parser

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "deploy").rglob("*.md")])
TEXT = "\n".join(page.read_text() for page in PAGES)
JOBS = [job for job in (ROOT / "pipelines").glob("[!_]*.py") if '__name__ == "__main__"' in job.read_text()]
COMMANDS = sorted(f"pipelines.{job.stem}" for job in JOBS)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def anchors(page: Path) -> set[str]:
    """The fragments that the headings of a page can be linked by."""
    headings = re.findall(r"^#+\s+(.*)$", re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading.strip().lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in plain}


def broken_links(page: Path) -> Iterator[str]:
    for target in LINK.findall(CODE.sub("", page.read_text())):
        if "://" in target or target.startswith("mailto:"):
            continue
        path, _, fragment = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (fragment and file.suffix == ".md" and fragment not in anchors(file)):
            yield target


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_resolve(page: Path) -> None:
    assert list(broken_links(page)) == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_make_targets_and_modules_in_a_page_exist(page: Path) -> None:
    code = "\n".join(CODE.findall(page.read_text()))
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z][a-z-]*)", code)) - targets == set()
    modules = {module.rstrip(".") for module in re.findall(r"python -m ([a-z][a-z0-9_.]*)", code)}
    assert {module for module in modules if find_spec(module) is None} == set()


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "docs/architecture.md"])
def test_files_that_a_page_names_exist(name: str) -> None:
    path = r"`((?:schemas|transforms|pipelines|services|segments|traits|tests|docs)/[a-z0-9_./]*)`"
    spans = re.findall(path, (ROOT / name).read_text())
    assert {span for span in spans if not (ROOT / span).exists()} == set()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_of_a_command_is_documented(command: str) -> None:
    ask = [sys.executable, "-m", command, "--help"]
    done = subprocess.run(ask, capture_output=True, text=True, check=True, cwd=ROOT)
    options = set(re.findall(r"(?<![\w-])--[a-z][\w-]*", done.stdout)) - {"--help"}
    assert options, done.stdout
    assert {option for option in options if not re.search(rf"{option}(?![\w-])", TEXT)} == set()
    assert f"python -m {command}" in TEXT


def test_the_template_asks_for_options_that_the_job_has() -> None:
    metadata = json.loads((ROOT / "deploy" / "metadata.json").read_text())
    options = {action.dest for action in profiles_argument_parser()._actions}
    assert {parameter["name"] for parameter in metadata["parameters"]} - options == set()


def test_every_make_target_is_in_the_readme_or_contributing() -> None:
    described = re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE)
    pages = (ROOT / "README.md").read_text() + (ROOT / "CONTRIBUTING.md").read_text()
    assert {target for target in described if f"make {target}" not in pages} == set()

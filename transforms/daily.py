"""The daily run as a list of commands: which steps, in which order, with which options. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

STEPS: Final = ("pull", "profiles", "predict", "audit", "activate", "report")
"""In their order. A step that nothing is told of, as there are no sources, is left out."""


@dataclass(frozen=True, slots=True)
class Daily:
    """What daily.yaml says. `options`: further options of a step, by its name.

    Attributes:
        tables: where the main job writes, and the others read.
        inputs: of the main job; what is pulled and predicted is added.
        events: where pulled rows and predictions go, a folder.
        segments: the folder of segments.
        traits: the folder of computed traits.
        sources: files of the sources to pull.
        destinations: the folder of destinations.
        report: the page to write.
        options: per step, names and values.
    """

    tables: str
    inputs: tuple[str, ...]
    events: str
    segments: str
    traits: str | None = None
    sources: tuple[str, ...] = ()
    destinations: str | None = None
    report: str | None = None
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


class Command(NamedTuple):
    """One command of the run: the step that it belongs to, and its arguments."""

    step: str
    arguments: tuple[str, ...]

    def words(self) -> tuple[str, ...]:
        """As it is typed."""
        return ("python", "-m", f"pipelines.{self.step}", *self.arguments)


def commands(daily: Daily, steps: Sequence[str], spooled: Callable[[], bool]) -> Iterator[Command]:
    """The commands of these steps, in order; each is made when the one before it has run.

    Args:
        daily: what is asked for.
        steps: some of STEPS.
        spooled: whether there are files of pulled or predicted events.
    """
    makers = {
        "pull": _pull, "profiles": _profiles, "predict": _predict, "audit": _audit, "activate": _activate,
        "report": _report,
    }  # fmt: skip
    for step in STEPS:
        if step in steps:
            yield from makers[step](daily, spooled)


def _pull(daily: Daily, _: Callable[[], bool]) -> Iterator[Command]:
    for source in daily.sources:
        yield _command(daily, "pull", "--source", source, "--events", f"spool:{daily.events}")


def _profiles(daily: Daily, spooled: Callable[[], bool]) -> Iterator[Command]:
    inputs = [*daily.inputs, *([f"{daily.events}/*.ndjson"] if spooled() else [])]
    given = [word for place in inputs for word in ("--input", place)]
    traits = ["--traits", daily.traits] if daily.traits else []
    yield _command(daily, "profiles", *given, "--segments", daily.segments, *traits, "--output", daily.tables)


def _predict(daily: Daily, _: Callable[[], bool]) -> Iterator[Command]:
    yield _command(daily, "predict", "--input", daily.tables, "--events", f"spool:{daily.events}")


def _audit(daily: Daily, _: Callable[[], bool]) -> Iterator[Command]:
    yield _command(daily, "audit", "--input", daily.tables)


def _activate(daily: Daily, _: Callable[[], bool]) -> Iterator[Command]:
    if daily.destinations:
        yield _command(daily, "activate", "--input", daily.tables, "--destinations", daily.destinations)


def _report(daily: Daily, _: Callable[[], bool]) -> Iterator[Command]:
    if daily.report:
        traits = ["--traits", daily.traits] if daily.traits else []
        given = ["--input", daily.tables, "--output", daily.report, "--segments", daily.segments, *traits]
        yield _command(daily, "report", *given)


def _command(daily: Daily, step: str, *arguments: str) -> Command:
    further: list[str] = []
    for name, value in daily.options.get(step, {}).items():
        values = value if isinstance(value, list) else [value]
        for one in values:
            further += [f"--{name}"] if one is True else [f"--{name}", str(one)]
    return Command(step, (*arguments, *further))

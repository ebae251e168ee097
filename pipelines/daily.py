"""`python -m pipelines.daily`: pull, profiles, predict, audit, activate, report, in this order: what cron runs."""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from pipelines.trust.arguments import CommandParser
from schemas.errors import UsageError
from transforms.daily import STEPS, Command, Daily, commands
from transforms.segments.language.errors import closest

_KEYS: Final = ("tables", "inputs", "events", "segments", "traits", "sources", "destinations", "report", *STEPS)
_WITH_OPTIONS: Final = tuple(step for step in STEPS if step != "report")
_REQUIRED: Final = ("tables", "inputs", "events", "segments")
_EXAMPLE: Final = "tables: duckdb:out/tidemark.duckdb"

Run = Callable[[Sequence[str]], int]


@dataclass(frozen=True, slots=True)
class DailyOptions:
    """What was asked."""

    daily: Daily
    steps: tuple[str, ...]
    dry_run: bool


def argument_parser() -> CommandParser:
    """The command line."""
    parser = CommandParser(
        prog="python -m pipelines.daily",
        description="Run the day's commands in order, as daily.yaml says: pull, profiles, predict, audit, activate, "
        "report. It stops where one fails, and says so; what was done stays done.",
        epilog="Exit status: 0 all done, 2 wrong arguments, else that of the step that failed (3: the audit found what "
        "it is told to stop for).",
        allow_abbrev=False,
    )
    parser.add_argument("--config", type=Path, default=Path("daily.yaml"), metavar="FILE", help="default: %(default)s")
    parser.add_argument("--only", metavar="STEP,...", help=f"these steps only, of {', '.join(STEPS)}")
    parser.add_argument("--from", dest="begin", metavar="STEP", help="begin with this step: go on where a run stopped")
    parser.add_argument("--dry_run", action="store_true", help="print the commands and run none")
    return parser


def parse_options(arguments: Sequence[str]) -> DailyOptions:
    """Reads and checks the command line and the file. Raises UsageError: with what is wrong."""
    known = argument_parser().parse(arguments)
    steps: tuple[str, ...] = STEPS
    if known.only:
        steps = tuple(_step(name.strip()) for name in known.only.split(","))
    if known.begin:
        steps = tuple(step for step in steps if STEPS.index(step) >= STEPS.index(_step(known.begin)))
    return DailyOptions(read_daily(known.config), steps, known.dry_run)


def _step(name: str) -> str:
    if name not in STEPS:
        near = closest(name, STEPS)
        raise UsageError(
            f"there is no step {name!r}, expected {', '.join(STEPS)}" + (f"; did you mean {near}?" if near else "")
        )
    return name


def read_daily(path: Path) -> Daily:
    """The file. Raises UsageError: with everything that is wrong with it."""
    try:
        told = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"{path}: cannot be read: {type(error).__name__}; docs/daily.md has an example") from None
    if not isinstance(told, dict):
        raise UsageError(f"{path}: expected lines such as '{_EXAMPLE}'")
    problems = [
        f"{path}: unknown key {name!r}" + (f"; did you mean {near}?" if (near := closest(str(name), _KEYS)) else "")
        for name in told
        if name not in _KEYS
    ]
    problems += [f"{path}: {name}: required" for name in _REQUIRED if not told.get(name)]
    problems += [
        f"{path}: {step}: expected options and their values"
        for step in _WITH_OPTIONS
        if not isinstance(told.get(step, {}), dict)
    ]
    if problems:
        raise UsageError("\n\n".join(problems))
    return Daily(
        tables=str(told["tables"]),
        inputs=tuple(_list(told["inputs"])),
        events=str(told["events"]).removeprefix("spool:").rstrip("/"),
        segments=str(told["segments"]),
        traits=told.get("traits"),
        sources=tuple(_list(told.get("sources"))),
        destinations=told.get("destinations"),
        report=told.get("report"),
        options={step: told[step] for step in _WITH_OPTIONS if told.get(step)},
    )


def _list(value: Any) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else [str(value)] if value else []


def run_command(words: Sequence[str]) -> int:
    """Runs one command in a process of its own; returns its exit status."""
    return subprocess.run([sys.executable, *words[1:]], check=False).returncode  # noqa: S603 - our own commands


def main(arguments: Sequence[str] | None = None, run: Run = run_command) -> int:
    """Runs the command; returns its exit status. `run`: runs one step."""
    try:
        options = parse_options(sys.argv[1:] if arguments is None else arguments)
    except UsageError as error:
        print(error, file=sys.stderr)
        return 2
    done: list[str] = []
    folder = Path(options.daily.events)
    for command in commands(options.daily, options.steps, lambda: any(folder.glob("*.ndjson"))):
        print(f"\n{shlex.join(command.words())}", flush=True)
        if options.dry_run:
            continue
        began = time.monotonic()
        status = run(command.words())
        if status:
            _say_stopped(command, status, done)
            return status
        done.append(f"{command.step} ({time.monotonic() - began:.0f} s)")
    print(f"\nDone: {', '.join(done) or 'nothing'}")
    return 0


def _say_stopped(command: Command, status: int, done: Sequence[str]) -> None:
    print(
        f"\nStopped: {command.step} ended with status {status}. Done before it: {', '.join(done) or 'nothing'}.\n"
        f"When it is mended: python -m pipelines.daily --from {command.step}",
        file=sys.stderr,
    )


if __name__ == "__main__":
    sys.exit(main())

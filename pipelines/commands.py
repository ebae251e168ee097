"""`tidemark COMMAND ...`: the same as `python -m pipelines.COMMAND ...`, from wherever the package is installed.

A command's module is imported when it is asked for: `tidemark --help` answers without Beam.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

from schemas.errors import nearest

COMMANDS = {
    "profiles": ("pipelines.profiles", "the main job: events in; profiles, segments and failed events out"),
    "preview": ("pipelines.preview", "who is in a segment and why, before it is used"),
    "report": ("pipelines.report", "a page about what a job wrote"),
    "activate": ("pipelines.activate", "makes each destination hold exactly the members that it should"),
    "cache": ("pipelines.cache", "fills the cache from a job's tables"),
    "content": ("pipelines.content", "a block of e-mail, said in a platform's syntax or rendered for a person"),
    "api": ("api.__main__", "takes events in over HTTP, and tells who is in which segment"),
    "audit": ("pipelines.audit", "what changed for the worse in the data, by day and source"),
    "daily": ("pipelines.daily", "pull, profiles, predict, audit, activate, report: one after the other"),
    "enrich": ("pipelines.enrich", "attributes from a table, as events, for people who agreed"),
    "export": ("pipelines.export", "everything that is held about one person, as a zip"),
    "duplicates": ("pipelines.duplicates", "people who are probably one, for somebody to decide"),
    "predict": ("pipelines.predict", "expected orders, lifetime value and churn risk, as events"),
    "pull": ("pipelines.pull", "the rows of a REST API as events"),
}
"""Each command: the module whose `main(arguments)` runs it, and what it does, for `--help`."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command with the rest of the line; returns its exit status, 2 if there is no such command."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or given[0] in {"-h", "--help"}:
        print(_help())
        return 0 if given else 2
    name, *rest = given
    if name == "--version":
        from importlib.metadata import version

        print(f"tidemark {version('tidemark')}")
        return 0
    if name not in COMMANDS:
        near = nearest(name, COMMANDS)
        print(
            f"tidemark: there is no command {name!r}" + (f"; did you mean {near!r}?" if near else ""),
            file=sys.stderr,
        )
        print("tidemark --help lists them", file=sys.stderr)
        return 2
    return int(importlib.import_module(COMMANDS[name][0]).main(rest))


def _help() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:{width}}  {what}" for name, (_, what) in COMMANDS.items()]
    return "\n".join(
        [
            "tidemark COMMAND [OPTIONS]",
            "",
            "Customer segments exact to the millisecond, from the events you already send.",
            "",
            *lines,
            "",
            "tidemark COMMAND --help says what a command takes. Each is also `python -m MODULE`, for example",
            "`python -m pipelines.profiles`.",
        ]
    )

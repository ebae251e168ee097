"""Beam's own options, which may follow ours: whether there is one of that name, before Beam itself is imported.

Importing Beam takes seconds, and a misspelt option is to be told at once. So the names are read from the text of the
module in which Beam declares them; their values are Beam's to check, once all else is right.
"""

from __future__ import annotations

import argparse
import ast
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from schemas.errors import nearest

_ADDS = ("add_argument", "add_value_provider_argument")
_FLAGS = ("store_true", "store_false")

NO_MAIN_SESSION = "--no_save_main_session"
"""What Beam 2.77 does by itself otherwise: it pickles the module that was started and sends it to every worker. What
workers need is in the package, which they have; the module is a command line."""

LOCAL_RUNNERS = ("PrismRunner", "FnApiRunner", "DirectRunner", "BundleBasedDirectRunner", "SwitchingDirectRunner")
"""They do the work on this machine, and forget everything when they end."""

FLINK_OPTIONS = (
    *("allow_non_restored_state", "auto_balance_write_files_sharding_enabled", "auto_watermark_interval"),
    *("checkpoint_timeout_millis", "checkpointing_interval", "checkpointing_mode", "disable_metrics"),
    *("enable_stable_input_drain", "execution_mode_for_batch", "execution_retry_delay"),
    *("externalized_checkpoints_enabled", "fail_on_checkpointing_errors", "faster_copy", "files_to_stage"),
    *("finish_bundle_before_checkpointing", "flink_conf_dir", "force_unaligned_checkpoint_enabled"),
    *("latency_tracking_interval", "max_bundle_size", "max_bundle_time_mills", "max_parallelism"),
    *("min_pause_between_checkpoints", "num_concurrent_checkpoints", "number_of_execution_retries", "object_reuse"),
    *("operator_chaining", "parallelism", "retain_externalized_checkpoints_on_cancellation", "savepoint_path"),
    *("shutdown_sources_after_idle_ms", "state_backend", "state_backend_storage_path"),
    "unaligned_checkpoint_enabled",
)
"""Options of Beam's job server for Flink (`FlinkPipelineOptions`), which Beam for Python asks for when a job starts."""


def unknown_options(parser: argparse.ArgumentParser, rest: Sequence[str]) -> Iterator[str]:
    """What is neither an option of the command's own nor one of Beam's, each in a sentence.

    Args:
        parser: the command's own.
        rest: what it has not understood.
    """
    if not rest:
        return
    beam = _beam_parser(more=FLINK_OPTIONS if _is_of_flink(rest) else ())
    _, unknown = beam.parse_known_args(list(rest))
    known = [flag for one in (parser, beam) for action in one._actions for flag in action.option_strings]
    for before, argument in zip(["", *unknown], unknown, strict=False):
        if not argument.startswith("-") and before.startswith("--"):
            continue  # the value of one that there is not
        name = argument.partition("=")[0]
        near = nearest(name, known) if name.startswith("-") else ""
        yield f"{name}: there is no such option" + (f"; did you mean {near}?" if near else "")


def check_values(arguments: Sequence[str]) -> None:
    """Has Beam read its options. Imports Beam, if there are any.

    Raises:
        SystemExit: argparse has said which value is wrong.
    """
    if not arguments:
        return
    from apache_beam.options.pipeline_options import PipelineOptions, _BeamArgumentParser

    beam = _BeamArgumentParser(add_help=False, allow_abbrev=False)
    for options in PipelineOptions.__subclasses__():
        options._add_argparse_args(beam)
    beam.parse_known_args(list(arguments))


def runs_here(rest: Sequence[str]) -> bool:
    """Whether the runner that Beam's options name, or the default one, works on this machine."""
    return _runner(rest) in ("", *LOCAL_RUNNERS)


def takes_checkpoints(rest: Sequence[str]) -> bool:
    """Whether the runner that Beam's options name shall start again from its last checkpoint when something fails."""
    asked = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    asked.add_argument("--checkpointing_interval", type=int, default=-1)
    return _is_of_flink(rest) and asked.parse_known_args(list(rest))[0].checkpointing_interval > 0


def is_of_dataflow(rest: Sequence[str]) -> bool:
    """Whether the runner that Beam's options name is Dataflow."""
    return _runner(rest) == "DataflowRunner"


def _is_of_flink(rest: Sequence[str]) -> bool:
    return _runner(rest) in ("FlinkRunner", "PortableRunner")


def _runner(rest: Sequence[str]) -> str:
    named = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    named.add_argument("--runner", default="")
    return str(named.parse_known_args(list(rest))[0].runner).rpartition(".")[2]


def _beam_parser(more: Sequence[str] = ()) -> argparse.ArgumentParser:
    """Knows the names of Beam's options, and which take a value; `more` names take one or none."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for flags, keywords in _declared():
        if keywords.get("action") in _FLAGS:
            parser.add_argument(*flags, action="store_true")
        else:
            parser.add_argument(*flags, nargs=keywords.get("nargs") or None)
    known = {flag for action in parser._actions for flag in action.option_strings}
    for name in more:
        if f"--{name}" not in known:
            parser.add_argument(f"--{name}", nargs="?")
    return parser


def _declared() -> Iterator[tuple[list[str], dict[str, str]]]:
    """Names, and what is said of them in plain text, of each option that Beam declares."""
    beam = find_spec("apache_beam")
    if beam is None or not beam.submodule_search_locations:
        raise ModuleNotFoundError("apache_beam is not installed", name="apache_beam")
    source = Path(beam.submodule_search_locations[0]) / "options" / "pipeline_options.py"
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or node.func.attr not in _ADDS:
            continue
        flags = [value for value in map(_text, node.args) if value.startswith("-")]
        if flags:
            yield flags, {keyword.arg: _text(keyword.value) for keyword in node.keywords if keyword.arg}


def _text(node: ast.expr) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""

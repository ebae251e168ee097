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


def unknown_options(parser: argparse.ArgumentParser, rest: Sequence[str]) -> Iterator[str]:
    """What is neither an option of the command's own nor one of Beam's, each in a sentence.

    Args:
        parser: the command's own.
        rest: what it has not understood.
    """
    if not rest:
        return
    beam = _beam_parser()
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


def _beam_parser() -> argparse.ArgumentParser:
    """Knows the names of Beam's options, and which take a value."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for flags, keywords in _declared():
        if keywords.get("action") in _FLAGS:
            parser.add_argument(*flags, action="store_true")
        else:
            parser.add_argument(*flags, nargs=keywords.get("nargs") or None)
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

"""The local files that a pattern matches, as Beam would find them elsewhere; Beam itself takes seconds to be imported.

`*` is any text within a name, `**` any text, `?` one character, `[ab]` and `[!ab]` one of these and none of these.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator
from pathlib import Path

_PART = re.compile(r"(?s)(?P<any>\*\*)|(?P<within>\*)|(?P<one>\?)|\[(?P<set>!?+\]?+[^]]*)\]|(?P<text>.)")


def local_matches(pattern: str) -> Iterator[tuple[str, int, int]]:
    """Path, length in bytes and last change (microseconds since the epoch) of each, in no order.

    Links to files are followed, links to folders are not. What goes while it is looked at is passed over.

    Raises:
        re.error: a range in brackets that ends before it begins.
    """
    if pattern.endswith("/"):
        pattern += "*"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # `[*--a]` may mean something else to Python one day
        matches = re.compile(_expression(pattern)).fullmatch
    for path in _candidates(pattern):
        if not matches(path):
            continue
        try:
            status = Path(path).stat()
        except OSError:
            continue
        yield path, status.st_size, status.st_mtime_ns // 1_000


def _candidates(pattern: str) -> Iterator[str]:
    """The one that is named, or everything below the last folder that is."""
    plain = re.split(r"[*?[]", pattern, maxsplit=1)[0]
    if plain == pattern:
        yield pattern
        return
    named = plain[: plain.rfind("/") + 1]
    top = named.rstrip("/") or named[:1] or "."
    for folder, _, names in os.walk(top):
        inside = folder if folder.endswith("/") else f"{folder}/"
        for name in names:
            yield f"{inside}{name}" if named else f"{inside}{name}".removeprefix("./")


def _expression(pattern: str) -> str:
    """The pattern as a regular expression."""
    return "(?s)" + "".join(map(_translated, _PART.finditer(pattern)))


def _translated(part: re.Match[str]) -> str:
    if part["any"]:
        return ".*"
    if part["within"]:
        return r"[^/\\]*"
    if part["one"]:
        return "."
    if part["set"] is None:
        return re.escape(part["text"])
    inside = part["set"].replace("\\", r"\\").replace("[", r"\[")
    if inside.startswith("!"):
        return f"[^{inside[1:]}]"
    return f"[{inside}]" if not inside.startswith("^") else rf"[\{inside}]"

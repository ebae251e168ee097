"""Plain text of at most 100 columns: tables with aligned numbers, bars, paragraphs."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

WIDTH = 100


def table(headings: Sequence[str], rows: Sequence[Sequence[str | int]], indent: int = 2) -> list[str]:
    """Lines of a table: numbers to the right, text to the left, as wide as it must be."""
    cells = [[f"{cell:,}" if isinstance(cell, int) else cell for cell in row] for row in rows]
    numeric = [all(isinstance(row[i], int) for row in rows) and bool(rows) for i in range(len(headings))]
    widths = [max([len(headings[i]), *(len(row[i]) for row in cells)]) for i in range(len(headings))]
    lines = []
    for row in [list(headings), *cells]:
        shown = (
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        )
        lines.append((" " * indent + "  ".join(shown)).rstrip()[:WIDTH])
    return lines


def bar(value: int, largest: int, width: int) -> str:
    """A bar of `#`; anything above nothing shows at least one."""
    return "#" * max(round(value * width / largest), 1 if value else 0) if largest else ""


def wrapped(text: str, indent: int = 2, hanging: int = 0) -> list[str]:
    """A paragraph; its further lines stand `hanging` further in."""
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=" " * indent,
        subsequent_indent=" " * (indent + hanging),
        break_on_hyphens=False,
    ) or [""]


def heading(text: str) -> list[str]:
    """A heading with an empty line above."""
    return ["", text, "-" * len(text)]

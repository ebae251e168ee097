"""What is held about a person, as a page for that person: it needs no network and no script."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from pipelines.io.tables.personal import PersonalTable

_FEW, _MANY = 5, 15
"""So few rows with so many columns are read from top to bottom."""
_TITLES = {
    "profiles": "Your profile",
    "events": "Events",
    "memberships": "Segments",
    "membership_changes": "How the segments changed",
    "failed_events": "Records that could not be processed",
    "identity_links": "Devices and ids",
    "deletions": "Erasures",
    "activations": "What was sent where",
    "destination_records": "Your records elsewhere",
    "suppressions": "Who must not write to you",
    "predictions": "Predictions",
    "duplicates": "Profiles that may be yours",
}


def export_page(profile_id: str, recorded_at: str, tables: Sequence[tuple[PersonalTable, list[dict[str, Any]]]]) -> str:
    """One HTML file; all that data says is text in it."""
    sections = "".join(
        f"<section><h2>{escape(_title(one.table.name))} <span>{len(rows):,}</span></h2>"
        f"<p>{escape(one.about)} All of it as data: {escape(one.table.name)}.ndjson</p>{_rows(rows)}</section>"
        for one, rows in tables
    )
    page = Template(files("pipelines.words").joinpath("export_page.html").read_text(encoding="utf-8"))
    return page.substitute(profile=escape(profile_id), at=escape(recorded_at), sections=sections)


def _title(name: str) -> str:
    return _TITLES.get(name, name.replace("_", " ").capitalize())


def _rows(rows: list[dict[str, Any]]) -> str:
    if not rows:
        return '<p class="none">Nothing.</p>'
    if len(rows) == 1 or (len(rows) <= _FEW and len(rows[0]) > _MANY):
        return "".join(map(_one_row, rows))
    # Columns in which no row says anything are left out of the page, not out of the data.
    names = [name for name in dict.fromkeys(name for row in rows for name in row) if any(row.get(name) for row in rows)]
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    lines = "".join("<tr>" + "".join(f"<td>{_cell(row.get(name))}</td>" for name in names) + "</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>'


def _one_row(row: dict[str, Any]) -> str:
    """A row from top to bottom: what it does not say is left out of the page."""
    said = ((name, _cell(value)) for name, value in row.items())
    lines = "".join(f"<tr><th>{escape(name)}</th><td>{cell}</td></tr>" for name, cell in said if cell)
    return f'<div class="scroll"><table>{lines}</table></div>'


def _cell(value: Any) -> str:
    if value is None or value in ([], {}):
        return ""
    if isinstance(value, dict):
        return f"<pre>{escape(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())}</pre>"
    return escape(", ".join(map(str, value)) if isinstance(value, list) else str(value))

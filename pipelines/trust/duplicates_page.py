"""The page on which somebody decides about suggested pairs: both profiles side by side, and what speaks for it."""

from __future__ import annotations

import html
import shlex
from collections.abc import Mapping, Sequence
from importlib.resources import files
from string import Template
from typing import Final

from transforms.duplicates.suggest import SUGGESTED, Suggestion

_MOST_SHOWN: Final = 500
_STATES: Final = {"suggested": "to be decided", "approved": "one person", "rejected": "two people"}


def duplicates_page(
    rows: Sequence[Suggestion], people: Mapping[str, Mapping[str, str]], command: str, version: str
) -> str:
    """The whole page: open pairs first, the most probable one first.

    Args:
        rows: of `duplicates`.
        people: what is shown of each profile, by id.
        command: the start of the command line that records a decision.
        version: of Tidemark.
    """
    ordered = sorted(rows, key=lambda row: (row.state != SUGGESTED, -row.probability, row.left_id, row.right_id))
    waiting = sum(row.state == SUGGESTED for row in rows)
    cards = "".join(_card(row, people, command) for row in ordered[:_MOST_SHOWN])
    more = f"<p>{len(rows) - _MOST_SHOWN:,} more are in the table duplicates.</p>" if len(rows) > _MOST_SHOWN else ""
    template = Template(files("pipelines.reporting").joinpath("page.html").read_text(encoding="utf-8"))
    return template.substitute(
        title="Probably one person",
        style=files("pipelines.reporting").joinpath("page.css").read_text(encoding="utf-8"),
        subtitle=f"{waiting:,} pairs to decide, {len(rows) - waiting:,} decided. Nobody is merged by this page. "
        "It holds personal data: keep it where the tables are kept.",
        headline="",
        links="",
        sections=f"<section>{cards or '<p>No two profiles are probably one person.</p>'}{more}</section>",
        footer=f"Tidemark {_text(version)}",
    )


def _card(row: Suggestion, people: Mapping[str, Mapping[str, str]], command: str) -> str:
    left, right = people.get(row.left_id, {}), people.get(row.right_id, {})
    names = list(dict.fromkeys([*left, *right]))
    outcomes = row.fields()
    body = "".join(
        f"<tr><td>{_text(name)}</td><td>{_text(left.get(name, ''))}</td><td>{_text(right.get(name, ''))}</td>"
        f"<td>{_text(_outcome(name, outcomes))}</td></tr>"
        for name in names
    )
    head = f"<th></th><th>{_text(row.left_id)}</th><th>{_text(row.right_id)}</th><th>compared</th>"
    pair = f"{shlex.quote(row.left_id)} {shlex.quote(row.right_id)}"
    commands = (
        f"<code>{_text(command)} --approve {_text(pair)}</code><code>{_text(command)} --reject {_text(pair)}</code>"
    )
    return (
        f'<div class="card"><header><h3>{_STATES[row.state]}</h3><strong>{row.probability:.1%}</strong></header>'
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
        f"<details><summary>Decide</summary>{commands}</details></div><br>"
    )


def _outcome(name: str, outcomes: Mapping[str, str]) -> str:
    if name == "street" and "house_number" in outcomes:
        return f"{outcomes.get('street', '')}, number {outcomes['house_number']}".strip(", ")
    return outcomes.get(name, "")


def _text(text: str) -> str:
    return html.escape(text)

"""A page that shows a block to its author: what a handful of people see, and how many see each branch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from string import Template

from pipelines.words.content_text import SeenBranch

_MOST_PEOPLE = 12


def content_page(template: str, branches: Sequence[SeenBranch], shown: Mapping[str, str], people: int) -> str:
    """One HTML file that needs no network and no script.

    Args:
        template: the template's file name.
        branches: who sees what.
        shown: the block as it is for some people, by profile id; HTML as an e-mail would hold it, each in a frame of
            its own that may run nothing.
        people: how many there are in all.
    """
    largest = max((branch.people for branch in branches), default=0) or 1
    rows = "".join(
        f'<tr><td class="number">{one.line}</td><td><code>{escape(one.text)}</code></td>'
        f'<td class="number">{one.people:,}</td><td class="number">{one.people / max(people, 1):.1%}</td>'
        f'<td class="share"><span style="width:{one.people * 100 // largest}%"></span></td></tr>'
        for one in branches
    )
    frames = "".join(
        f'<article class="card"><h3>{escape(profile_id)}</h3>'
        f'<iframe sandbox="" title="{escape(profile_id)}" srcdoc="{escape(_framed(text))}"></iframe></article>'
        for profile_id, text in list(shown.items())[:_MOST_PEOPLE]
    )
    page = Template(files("pipelines.words").joinpath("content_page.html").read_text(encoding="utf-8"))
    return page.substitute(title=escape(template), people=f"{people:,}", rows=rows, frames=frames)


def _framed(text: str) -> str:
    return f'<body style="font:16px/1.5 system-ui,sans-serif;margin:12px;color:#1f2933">{text}</body>'

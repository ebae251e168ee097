"""The report's charts: matplotlib figures as SVG text to stand in the page.

SVG and not a script: it is sharp on every screen, shows where scripts do not run (a mail's attachment on a phone), and
costs kilobytes. Text stays text, in the page's own font. The same numbers give the same bytes.
"""

from __future__ import annotations

import html
import io
import re
from collections.abc import Sequence
from typing import Any, Literal

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from transforms.explain.statistics import Day, Overlap

INK, MUTED, RULE = "#1f2933", "#5f6b7a", "#e3e8ee"
BLUE, GREEN, CORAL = "#2f6fde", "#2a9d8f", "#e4572e"
PALETTE = (BLUE, GREEN, "#f2a541", "#8e6fd1", CORAL, "#5c7a99", "#b5838d", "#7a9e3e")
_SIDES: tuple[Literal["left", "center", "right"], ...] = ("left", "center", "right")
_WIDTH = 5.0
_POINT = 72.0
_LABEL_CHARACTER_POINTS = 5.9
_STYLE: Any = {  # matplotlib types the keys as a union of three hundred literals
    "svg.fonttype": "none",
    "svg.hashsalt": "tidemark",
    "font.family": "sans-serif",
    "font.size": 12.0,
    "text.color": INK,
    "axes.edgecolor": RULE,
    "axes.labelcolor": MUTED,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "text.parse_math": False,  # names are of the data: "$5 off" is no mathematics
}


def segment_chart(days: Sequence[Day], title: str) -> str:
    """Size by day; below it entries (up) and exits (down)."""
    with mpl.rc_context(_STYLE):
        figure, (size, flow) = _figure(2.5, rows=(3, 1.4))
        places = range(len(days))
        sizes = [day.size for day in days]
        size.fill_between(places, sizes, step="mid", color=BLUE, alpha=0.14, linewidth=0)
        size.step(places, sizes, where="mid", color=BLUE, linewidth=2)
        size.set_ylim(0, max([*sizes, 1]) * 1.12)
        for counts, colour in (([day.entered for day in days], GREEN), ([-day.exited for day in days], CORAL)):
            some = [place for place in places if counts[place]]
            flow.bar(some, [counts[place] for place in some], width=0.8, color=colour)
        flow.axhline(0, color=MUTED, linewidth=0.6)
        flow.yaxis.set_major_formatter(lambda value, _: f"{abs(value):,.0f}")
        for axes in (size, flow):
            _rule(axes, ticks=3 if axes is size else 2)
            axes.set_xlim(-0.6, max(len(days), 1) - 0.4)
        size.set_xticks([])
        _name_days(flow, [day.day for day in days])
        return _svg(figure, title)


def event_chart(by_type: dict[str, dict[int, int]], days: Sequence[str], title: str) -> str:
    """Events by number of the day (or bin of days), stacked by type, in the colours of PALETTE. Nothing has no bar."""
    with mpl.rc_context(_STYLE):
        figure, (axes,) = _figure(2.3)
        below: dict[int, int] = {}
        for of_type, colour in zip(by_type.values(), PALETTE, strict=False):
            places = sorted(of_type)
            counts = [of_type[place] for place in places]
            axes.bar(places, counts, width=0.85, bottom=[below.get(place, 0) for place in places], color=colour)
            for place, count in of_type.items():
                below[place] = below.get(place, 0) + count
        axes.set_xlim(-0.6, max(len(days), 1) - 0.4)
        _rule(axes, ticks=4)
        _name_days(axes, days)
        return _svg(figure, title)


def bar_chart(items: Sequence[tuple[str, float, str]], title: str, colour: str = BLUE) -> str:
    """Horizontal bars: (name, length, what stands at its end). Names stand above their bars, so they may be long."""
    largest = max([length for _, length, _ in items] + [1e-9])
    with mpl.rc_context(_STYLE):
        figure, (axes,) = _figure(0.44 * len(items) + 0.1)
        for place, (name, length, text) in enumerate(items):
            axes.barh(place + 0.2, largest, height=0.3, color=RULE)
            axes.barh(place + 0.2, length, height=0.3, color=colour)
            axes.text(0, place - 0.06, name, va="bottom", ha="left")
            axes.text(largest, place - 0.06, text, va="bottom", ha="right", color=MUTED)
        axes.set_xlim(0, largest)
        axes.set_ylim(len(items) - 0.55, -0.6)
        axes.axis("off")
        return _svg(figure, title)


def overlap_chart(names: Sequence[str], overlaps: dict[tuple[str, str], Overlap], title: str) -> str:
    """A matrix: of the members of the row, how many percent are in the column too. Columns are numbered as the rows."""
    count = len(names)
    labels = [f"{row + 1}  {_short(name)}" for row, name in enumerate(names)]
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(_WIDTH, 0.33 * count + 0.4))
        axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        # Cells share the width that the labels leave; in units of cells the labels then begin here:
        label_points = max(map(len, labels)) * _LABEL_CHARACTER_POINTS
        cell_points = (_WIDTH * _POINT - label_points) / count
        left = -label_points / cell_points - 0.5
        for row, one in enumerate(names):
            axes.text(left, row, labels[row], ha="left", va="center", size=10.5)
            axes.text(row, -0.8, str(row + 1), ha="center", va="center", color=MUTED, size=10)
            for column, other in enumerate(names):
                found = overlaps.get((one, other))
                of_row = 0 if found is None else _share_of_row(found, overlaps[other, one].members)
                colour = RULE if found is None else mpl.colors.to_rgba(BLUE, 0.06 + 0.86 * of_row)
                axes.barh(row, 0.94, left=column - 0.47, height=0.92, color=colour)
                if found is not None and found.both:
                    ink = "white" if of_row > 0.5 else INK
                    axes.text(column, row, f"{of_row:.0%}"[:-1], ha="center", va="center", size=9.4, color=ink)
        axes.set_xlim(left, count - 0.5)
        axes.set_ylim(count - 0.5, -1.3)
        axes.axis("off")
        return _svg(figure, title)


def calibration_chart(points: Sequence[tuple[float, float]], title: str) -> str:
    """What was told (across) and what happened (up), 0 to 1; on the diagonal the two are one."""
    with mpl.rc_context(_STYLE):
        figure, (axes,) = _figure(3.0)
        axes.plot([0, 1], [0, 1], color=RULE, linewidth=1.5)
        axes.plot([told for told, _ in points], [happened for _, happened in points], "o", color=BLUE, markersize=6)
        axes.set_xlim(-0.03, 1.03)
        axes.set_ylim(-0.03, 1.03)
        axes.set_xlabel("risk told")
        axes.set_ylabel("did not order")
        axes.tick_params(length=0, labelsize=11)
        return _svg(figure, title)


def _share_of_row(found: Overlap, members: int) -> float:
    return found.both / members if members else 0.0


def _short(name: str) -> str:
    return name if len(name) <= 26 else name[:25] + "…"


def _figure(height: float, rows: Sequence[float] = (1,)) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(_WIDTH, height), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.03, hspace=0.02)  # type: ignore[call-arg, union-attr]
    grid = figure.add_gridspec(len(rows), 1, height_ratios=list(rows))
    return figure, [figure.add_subplot(grid[place]) for place in range(len(rows))]


def _rule(axes: Axes, ticks: int) -> None:
    axes.grid(axis="y", color=RULE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelsize=11)
    axes.yaxis.set_major_locator(mpl.ticker.MaxNLocator(ticks, integer=True))
    if not axes.yaxis.get_major_formatter().__class__.__name__.startswith("Func"):
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")


def _name_days(axes: Axes, days: Sequence[str]) -> None:
    """The first day, the last one, and one between."""
    places = sorted({0, len(days) // 2, len(days) - 1}) if days else []
    axes.set_xticks(places, [days[place] for place in places])
    for label, side in zip(axes.get_xticklabels(), _SIDES, strict=False):
        label.set_horizontalalignment(side if len(places) == 3 else "center")


def _svg(figure: Figure, title: str) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"\s*<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r' id="[a-zA-Z0-9.]+_\d+"', "", text)  # matplotlib's group names: the same in every chart of the page
    label = html.escape(title, quote=True)
    return re.sub(r'<svg ([^>]*?)width="[^"]*"', rf'<svg \1role="img" aria-label="{label}"', text, count=1).replace(
        f' height="{figure.get_figheight() * _POINT:g}pt"', "", 1
    )

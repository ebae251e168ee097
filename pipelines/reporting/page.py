"""The report's page: one HTML file with everything in it, that needs no network and no script."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterable, Sequence
from importlib.resources import files
from string import Template

from pipelines.reporting import charts
from pipelines.reporting.measures import FailedReason, Headline, SegmentLife
from pipelines.reporting.report import Report
from pipelines.reporting.trust import Trust, trust_section
from transforms.explain.timeline import Timeline, timeline
from transforms.explain.words import instant_words, span_words

_MOST_NAMES = 12
MADE_BY = "Made by Tidemark"
"""In every page: what has it not is not ours to replace."""
_MOST_PAIRS = 10
_MOST_UNPLANNED = 50
_LARGEST_MATRIX = 20


def render(report: Report, title: str, version: str, trust: Trust | None = None) -> str:
    """The whole page. `trust`: what other commands found, where they were run."""
    sections = [section for section in _sections(report, trust) if section is not None]
    links = "".join(f'<a href="#{name}">{_text(heading)}</a>' for name, heading, _ in sections)
    bodies = "\n".join(
        f'<section id="{name}"><h2>{_text(heading)}</h2>{body}</section>' for name, heading, body in sections
    )
    head = report.headline
    span = f"Events from {_minute(head.first_event)} to {_minute(head.last_event)}. "
    return _resource(
        "page.html",
        title=_text(title),
        style=files(__package__).joinpath("page.css").read_text(),
        subtitle=_text((span if head.events else "") + f"Everything as of {_minute(head.as_of)} UTC; so are all days."),
        headline=_headline(head),
        links=links,
        sections=bodies,
        footer=_text(f"{MADE_BY} {version}. The page holds numbers only: no ids, no values of any customer's."),
    )


def _resource(name: str, **values: str) -> str:
    return Template(files(__package__).joinpath(name).read_text()).substitute(values)


Section = tuple[str, str, str]


def _sections(report: Report, trust: Trust | None) -> Iterable[Section | None]:
    yield ("warnings", "Worth a look", _warnings(report.warnings)) if report.warnings else None
    yield "segments", "Segments", _segments(report.segments)
    yield ("overlaps", "Overlaps", _overlaps(report)) if len(report.segments) > 1 else None
    yield ("activation", "Activation", _activations(report)) if report.activations else None
    yield "funnel", "Purchase funnel", _funnel(report.funnel)
    yield "events", "Events", _events(report)
    yield "failed", "Failed events", _failures(report.failures, report.headline)
    yield "quality", "Data quality", _quality(report)
    yield ("trust", "Trust", trust_section(trust)) if trust is not None else None


def _headline(head: Headline) -> str:
    share = f"{head.failed / (head.events + head.failed):.1%}" if head.failed else "0 %"
    numbers = (
        ("profiles", f"{head.profiles:,}"),
        ("with a user id", f"{head.users:,}"),
        ("merged away", f"{head.merged:,}"),
        *([("accounts", f"{head.accounts:,}")] if head.accounts else []),
        ("events", f"{head.events:,}"),
        ("failed events", f"{head.failed:,}"),
        ("failed, of all", share),
    )
    items = "".join(f"<div><dt>{_text(name)}</dt><dd>{_text(value)}</dd></div>" for name, value in numbers)
    return f'<dl class="numbers">{items}</dl>'


def _warnings(warnings: Sequence[str]) -> str:
    return '<ul class="warnings">' + "".join(f"<li>{_text(warning)}</li>" for warning in warnings) + "</ul>"


def _segments(segments: Sequence[SegmentLife]) -> str:
    if not segments:
        return "<p>Nobody has been in any segment.</p>"
    key = (
        '<p><span class="key">members at the end of each day</span> '
        '<span class="key" style="--key: var(--green)">entries</span> '
        '<span class="key" style="--key: var(--coral)">exits</span></p>'
    )
    cards = "".join(_segment_card(life) for life in segments)
    rows = [
        (
            life.name,
            life.members,
            *life.lately,
            "" if life.median_stay is None else span_words(life.median_stay),
        )
        for life in segments
    ]
    headings = ("segment", "members", "in, 7 days", "out, 7 days", "median stay")
    return f'{key}<div class="grid">{cards}</div>{_details("All numbers", _table(headings, rows))}'


def _segment_card(life: SegmentLife) -> str:
    title = f"{life.name}: members, entries and exits by {life.timeline.bin_words()}"
    chart = charts.segment_chart(life.days, title) if life.days else "<p>Nobody has ever entered.</p>"
    chart += _far(life.timeline, "entries and exits")
    return (
        f'<article class="card"><header><h3>{_text(life.name)}</h3><strong>{life.members:,}</strong></header>{chart}'
        "</article>"
    )


def _far(line: Timeline, what: str) -> str:
    return f"<p>{_text(line.far_words(what))}</p>" if line.far else ""


def _overlaps(report: Report) -> str:
    shown = report.segments[:_LARGEST_MATRIX]
    names = [life.name for life in shown]
    chart = charts.overlap_chart(names, report.overlaps, "Overlaps of segments, in percent of the row's members")
    text = "Of the members of each row, how many percent are in the segment of the column too."
    if len(shown) < len(report.segments):
        text += f" The {len(shown)} largest segments."
    pairs = [
        (f"{one}, {found.segment}", found.both, f"{found.share:.0%}")
        for (one, other), found in report.overlaps.items()
        if one < other and found.both
    ]
    pairs.sort(key=lambda pair: (-pair[1], pair[0]))
    table = _table(("segments", "in both", "of either"), pairs[:_MOST_PAIRS])
    return (
        f'<p>{text}</p><div class="grid two"><div class="card">{chart}</div>'
        f'<div class="card"><h3>Most in common</h3>{table}</div></div>'
    )


def _activations(report: Report) -> str:
    text = "Who should be at each destination, and who is there by its own answer. Suppressed: who said no."
    rows = [
        (
            *(one.destination, one.segment, one.wanted, one.acknowledged, one.pending, one.refused, one.suppressed),
            ", ".join(f"{reason} ({count:,})" for reason, count in one.reasons),
        )
        for one in report.activations
    ]
    names = ("destination", "segment", "wanted", "acknowledged", "pending", "refused", "suppressed", "why not")
    return f'<p>{text}</p><div class="card wide">{_table(names, rows)}</div>'


def _funnel(steps: Sequence[tuple[str, int]]) -> str:
    first = steps[0][1]
    items = []
    for place, (name, count) in enumerate(steps):
        before = steps[place - 1][1] if place else 0
        rate = f"  ({count / before:.0%} of the step before)" if before else ""
        items.append((name, float(count), f"{count:,}{rate}"))
    bought = f" {steps[-1][1] / first:.1%} of those who took the first step took the last." if first else ""
    chart = charts.bar_chart(items, "Profiles at each step of the purchase funnel")
    text = f"Profiles that took each step after the one before it, at any time.{bought}"
    return f'<p>{text}</p><div class="card wide">{chart}</div>'


def _events(report: Report) -> str:
    if not report.event_days:
        return "<p>There are no events.</p>"
    line = timeline(sum(report.event_days.values(), Counter()))
    by_type = {kind: line.fold(counts) for kind, counts in report.event_days.items()}
    title = f"By type and {line.bin_words()}"
    chart = charts.event_chart(by_type, [line.day(place) for place in range(line.count)], f"Events, {title.lower()}")
    chart += _far(line, "events")
    key = "".join(
        f'<span class="key" style="--key: {colour}">{_text(kind)}</span> '
        for kind, colour in zip(report.event_days, charts.PALETTE, strict=False)
    )
    names = sorted(report.event_names.items(), key=lambda pair: (-pair[1], pair[0]))
    total = sum(count for _, count in names)
    rows = [(f"{kind} {name}".strip(), count, f"{count / total:.1%}") for (kind, name), count in names]
    table = _table(("event", "count", "share"), rows[:_MOST_NAMES])
    more = _details("All events", _table(("event", "count", "share"), rows)) if len(rows) > _MOST_NAMES else ""
    return (
        f'<div class="grid two"><div class="card"><h3>{_text(title)}</h3><p>{key}</p>{chart}</div>'
        f'<div class="card"><h3>Most frequent</h3>{table}{more}</div></div>'
    )


def _failures(failures: Sequence[FailedReason], head: Headline) -> str:
    if not failures:
        return "<p>Every record that was read is in the results.</p>"
    bars = [(failed.reason, float(failed.count), f"{failed.count:,}") for failed in failures]
    chart = charts.bar_chart(bars, "Failed events by reason", charts.CORAL)
    text = (
        f"{head.failed:,} records could not be processed. They are kept, bytes untouched, in the table failed_events. "
        "Examples show what is wrong and how the record is built; no value of it."
    )
    examples = "".join(_examples(failed) for failed in failures)
    return (
        f'<p>{text}</p><div class="grid two"><div class="card">{chart}</div>'
        f'<div class="card"><h3>Examples</h3>{examples}</div></div>'
    )


def _examples(failed: FailedReason) -> str:
    shown = "".join(
        f"<p>{'<br>'.join(map(_text, example.errors))}</p><code>{_text(example.structure)}</code>"
        for example in failed.examples
    )
    return _details(f"{failed.reason} ({failed.count:,})", shown)


def _quality(report: Report) -> str:
    rows = [(what, count, f"{count / of:.1%}" if of else "") for what, count, of in report.quality]
    filled = [(name, share, f"{share:.0%}") for name, share in report.filled]
    chart = charts.bar_chart(filled, "Known users with a value, by profile column", charts.GREEN)
    planned = "<p>Every track event has a schema in the tracking plan.</p>"
    if report.unplanned:
        table = _table(("event", "count"), report.unplanned[:_MOST_UNPLANNED])
        planned = _details(f"Track events that no schema names: {len(report.unplanned):,}", table)
    return (
        f'<div class="grid two"><div class="card"><h3>Events and identity</h3>{_table(("", "count", "share"), rows)}'
        f'{planned}</div><div class="card"><h3>Known users that have a value</h3>{chart}</div></div>'
    )


def _details(summary: str, body: str) -> str:
    return f"<details><summary>{_text(summary)}</summary>{body}</details>"


def _table(headings: Sequence[str], rows: Sequence[Sequence[str | int]]) -> str:
    """A table; columns of numbers, and those after the first one that end in a number, stand to the right."""
    right = [bool(rows) and place > 0 and isinstance(rows[0][place], int) for place in range(len(headings))]
    right = [
        flag or (place > 0 and all(str(row[place]).endswith("%") for row in rows)) for place, flag in enumerate(right)
    ]
    marks = [' class="number"' if flag else "" for flag in right]
    head = "".join(f"<th{mark}>{_text(name)}</th>" for name, mark in zip(headings, marks, strict=True))
    body = "".join(
        "<tr>" + "".join(f"<td{mark}>{_cell(cell)}</td>" for cell, mark in zip(row, marks, strict=True)) + "</tr>"
        for row in rows
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _cell(value: str | int) -> str:
    return f"{value:,}" if isinstance(value, int) else _text(value)


def _minute(instant: int | None) -> str:
    return instant_words(instant)[:16]


def _text(text: str) -> str:
    return html.escape(text)

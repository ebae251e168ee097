"""What an audit says: for a terminal, as a page, as JSON."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from importlib.resources import files
from string import Template
from typing import Final

import orjson

from pipelines.words.layout import table
from transforms.audit.checks import BOT, CHECKS
from transforms.audit.finding import SEVERITIES, Finding, iso_day

_TELLS: Final = {check.name: check.tells for check in (BOT, *CHECKS)}
_SHOWN: Final = 20


def worst_first(findings: Sequence[Finding]) -> list[Finding]:
    """The newest and gravest first."""
    return sorted(findings, key=lambda one: (-SEVERITIES.index(one.severity), -one.day, one.check, one.subject))


def audit_lines(findings: Sequence[Finding], first_day: int, last_day: int) -> Iterator[str]:
    """The summary, for a terminal."""
    yield f"Audited     {iso_day(first_day)} to {iso_day(last_day)}"
    counts = {severity: sum(one.severity == severity for one in findings) for severity in reversed(SEVERITIES)}
    yield "Alarms      " + ", ".join(f"{count:,} {severity}" for severity, count in counts.items())
    if findings:
        rows = [
            (one.severity, iso_day(one.day), one.check, one.subject, number(one.value), number(one.expected))
            for one in worst_first(findings)[:_SHOWN]
        ]
        yield ""
        yield from table(("severity", "day", "check", "subject", "value", "expected"), rows)
        if len(findings) > _SHOWN:
            yield f"  and {len(findings) - _SHOWN:,} more"


def number(value: float) -> str:
    """A count or a share, as short as it can be."""
    return f"{value:,.0f}" if abs(value) >= 10 or value == int(value) else f"{value:.3g}"


def audit_json(findings: Sequence[Finding], first_day: int, last_day: int) -> bytes:
    """The same for machines: the rows of `audits`, with the words of each check."""
    rows = [
        {
            "audit_id": one.audit_id(),
            "day": iso_day(one.day),
            "check": one.check,
            "subject": one.subject,
            "severity": one.severity,
            "value": round(one.value, 6),
            "expected": round(one.expected, 6),
            "first_seen_at": f"{iso_day(one.first_day)}T00:00:00Z",
            "tells": _TELLS[one.check],
        }
        for one in findings
    ]
    made = {"first_day": iso_day(first_day), "last_day": iso_day(last_day), "alarms": rows}
    return orjson.dumps(made, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def audit_page(findings: Sequence[Finding], first_day: int, last_day: int, version: str) -> str:
    """The same as one HTML page."""
    rows = "".join(
        "<tr>"
        + "".join(f"<td>{_text(cell)}</td>" for cell in (one.severity, iso_day(one.day), one.check, one.subject))
        + f'<td class="number">{number(one.value)}</td><td class="number">{number(one.expected)}</td>'
        + f"<td>{iso_day(one.first_day)}</td><td>{_text(_TELLS[one.check])}</td></tr>"
        for one in worst_first(findings)
    )
    names = ("severity", "day", "check", "subject", "value", "expected", "since", "what it is")
    head = "".join(f"<th>{name}</th>" for name in names)
    body = f'<div class="card"><div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
    template = Template(files("pipelines.reporting").joinpath("page.html").read_text(encoding="utf-8"))
    return template.substitute(
        title="Audit",
        style=files("pipelines.reporting").joinpath("page.css").read_text(encoding="utf-8"),
        subtitle=f"{iso_day(first_day)} to {iso_day(last_day)}: {len(findings):,} alarms",
        headline="",
        links="",
        sections=f"<section>{body}</div></div></section>" if findings else "<p>Nothing changed for the worse.</p>",
        footer=f"Tidemark {_text(version)}",
    )


def _text(text: str) -> str:
    return html.escape(text)

"""Checks of people who cannot be as their profile says. They are told on the last day, as a share of those known."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from functools import partial
from importlib.resources import files
from typing import Final

from transforms.audit.check import Check, Row, Window
from transforms.audit.finding import Finding, Severity

_WARNING: Final = 0.01
_CRITICAL: Final = 0.2
_FEWEST: Final = 3


def people_check(name: str, tells: str, sql: str) -> Check:
    """A check whose SQL gives one row (people it is wrong for, people whom it could be asked of)."""
    return Check(name, tells, sql, partial(_judge, name))


def _judge(name: str, rows: Sequence[Row], window: Window) -> Iterator[Finding]:
    for wrong, asked in rows:
        if not wrong:
            continue
        share = wrong / asked
        severity: Severity = "info"
        if wrong >= _FEWEST:
            severity = "critical" if share >= _CRITICAL else "warning" if share >= _WARNING else "info"
        yield Finding(name, "", "people", window.last_day, severity, float(wrong), 0.0, window.last_day)


def country_boxes() -> str:
    """SQL values (country, south, north, west, east) in degrees: larger than each country, with its far islands."""
    text = files("transforms.audit").joinpath("country_boxes.csv").read_text(encoding="utf-8")
    rows = list(csv.reader(text.splitlines()))[1:]
    return ", ".join(f"('{country}', {', '.join(degrees)})" for country, *degrees in rows)


def calling_codes() -> str:
    """SQL values (country, calling code)."""
    import phonenumbers

    codes = {
        region: code
        for code, regions in phonenumbers.COUNTRY_CODE_TO_REGION_CODE.items()
        for region in regions
        if len(region) == 2
    }
    return ", ".join(f"('{region}', '{code}')" for region, code in sorted(codes.items()))

"""The cause first: what follows from an alarm about a source is not told beside it, and one fault is one row a day."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from transforms.audit.finding import SEVERITIES, Finding

# Of these, on one day of one source, those on the right follow from the one on the left.
_FOLLOWS: Final[Mapping[str, frozenset[str]]] = {
    "silent_source": frozenset({"volume", "event_volume"}),
    "volume": frozenset({"event_volume"}),
    "clock_shift": frozenset({"late_share", "volume", "event_volume"}),
    "unmatched_ids": frozenset({"new_ids", "anonymous_share"}),
    "new_ids": frozenset({"anonymous_share"}),
    "null_identifier": frozenset({"anonymous_share", "new_ids", "unmatched_ids"}),
    "unplanned_share": frozenset({"event_volume"}),
}

_GROUPED: Final = ("null_property", "null_trait", "value_type")
_MANY_FIELDS: Final = 5


def causes(findings: Iterable[Finding]) -> list[Finding]:
    """The findings without those that follow from another one, by day, check and subject."""
    found = sorted(set(findings), key=lambda one: (one.day, one.check, one.subject))
    told: dict[tuple[str, int], set[str]] = {}
    for one in found:
        told.setdefault((one.source, one.day), set()).add(one.check)
    kept = [
        one
        for one in found
        if not any(one.check in _FOLLOWS.get(cause, ()) for cause in told[one.source, one.day] if one.source)
    ]
    return sorted(_grouped(kept), key=lambda one: (one.day, one.check, one.subject))


def _grouped(findings: Iterable[Finding]) -> Iterable[Finding]:
    """One row for a field that is gone from several events, one for an event that has lost many of its fields."""
    groups: dict[tuple[str, str, int], list[Finding]] = {}
    for one in findings:
        if one.check in _GROUPED:
            groups.setdefault((one.check, one.source, one.day), []).append(one)
        else:
            yield one
    for of_group in groups.values():
        by_label: dict[str, list[Finding]] = {}
        for one in of_group:
            by_label.setdefault(_split(one)[0], []).append(one)
        rest: dict[str, list[Finding]] = {}
        for label, of_label in by_label.items():
            if len(of_label) >= _MANY_FIELDS:
                yield _worst(of_label, f"{of_label[0].source}: {label}.*")
                continue
            for one in of_label:
                rest.setdefault(_split(one)[1], []).append(one)
        for path, of_path in rest.items():
            yield of_path[0] if len(of_path) == 1 else _worst(of_path, f"{of_path[0].source}: *.{path}")


def _split(one: Finding) -> tuple[str, str]:
    """Event and field of a subject `source: event.field`."""
    label, _, path = one.subject.removeprefix(f"{one.source}: ").partition(".")
    return label, path


def _worst(findings: list[Finding], subject: str) -> Finding:
    worst = max(
        findings, key=lambda one: (SEVERITIES.index(one.severity), abs(one.value - one.expected), one.subject)
    )  # fmt: skip
    return worst._replace(subject=subject, first_day=min(one.first_day for one in findings))

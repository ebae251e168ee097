"""Suggested and approved pairs as `alias` events, which merge people once somebody puts them into the input."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from schemas.instants import instant_text
from transforms.duplicates.suggest import APPROVED, REJECTED, Suggestion

SOURCE: Final = "tidemark-duplicates"


@dataclass(frozen=True, slots=True)
class Aliases:
    """`events`: in the order of certainty. `held_back`: pairs that would chain people whom nothing else links."""

    events: tuple[bytes, ...]
    held_back: int


def aliases(rows: Iterable[Suggestion], first_seen: Mapping[str, int], threshold: float, as_of: int) -> Aliases:
    """Alias events for the pairs above a threshold that nobody rejected; approved ones whatever their probability.

    The profile that is known for longer stays. Each is merged at most once, and into somebody whom it was itself
    compared with: A like B and B like C does not make C an A.

    Args:
        rows: of `duplicates`.
        first_seen: when each profile was first seen (microseconds); one that is not here, a merged one, is left alone.
        threshold: of the probability.
        as_of: event time of the aliases.
    """
    wanted = [row for row in rows if row.state == APPROVED or (row.state != REJECTED and row.probability >= threshold)]
    ordered = sorted(wanted, key=lambda row: (row.state != APPROVED, -row.probability, row.left_id, row.right_id))
    linked = {(row.left_id, row.right_id) for row in ordered}
    groups: dict[str, set[str]] = {}
    roots: dict[str, str] = {}
    events, held_back = [], 0
    for row in ordered:
        pair = (row.left_id, row.right_id)
        if not all(one in first_seen for one in pair) or not any(one.startswith("user:") for one in pair):
            continue
        one, other = (roots.get(member, member) for member in pair)
        if one == other:
            continue
        both = groups.get(one, {one}) | groups.get(other, {other})
        if any(tuple(sorted((a, b))) not in linked for a in groups.get(one, {one}) for b in groups.get(other, {other})):
            held_back += 1
            continue
        stays, goes = sorted((one, other), key=lambda member: _rank(member, first_seen))
        for member in both:
            roots[member] = stays
        groups[stays] = both
        events.append(_alias(goes, stays, as_of))
    return Aliases(tuple(events), held_back)


def _rank(profile_id: str, first_seen: Mapping[str, int]) -> tuple[bool, int, str]:
    """Who stays: a user rather than a device, the older one, the first by id."""
    return not profile_id.startswith("user:"), first_seen[profile_id], profile_id


def _alias(goes: str, stays: str, as_of: int) -> bytes:
    event: dict[str, Any] = {
        "type": "alias",
        "previousId": goes.partition(":")[2],
        "userId": stays.partition(":")[2],
        "timestamp": instant_text(as_of),
        "context": {"library": {"name": SOURCE}},
    }
    digest = hashlib.sha256(orjson.dumps(event, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]
    return orjson.dumps({"messageId": f"duplicate-{digest}", **event})

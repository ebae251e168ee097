"""Previews and stories as JSON for machines: the same names as the tables, instants in ISO 8601."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import orjson

from schemas.event import CONTEXT, MESSAGE_ID, PROPERTIES, TIMESTAMP, TRAITS, TYPE
from schemas.instants import instant_text
from schemas.tables import MEMBERSHIPS
from transforms.explain.findings import Finding, FindingGroup
from transforms.explain.preview import Difference, Preview, Shown
from transforms.explain.story import Standing, Story, Turn, event_name
from transforms.profiles.rows import Row
from transforms.records import Record

if TYPE_CHECKING:
    from pipelines.local.resolve import Counts

_DURATIONS = ("median", "mean", "ninth_decile", "longest", "open_median")


def preview_json(preview: Preview, counts: Counts, warnings: Sequence[str]) -> bytes:
    """The whole preview, one JSON object on one line. Durations are seconds."""
    segment = preview.rule.segment
    stays = dataclasses.asdict(preview.stays)
    return _dump(
        {
            "segment": segment.name,
            "segment_version": segment.version,
            "description": segment.description,
            "as_of": instant_text(preview.as_of),
            "records": {
                "read": counts.read,
                "duplicates": counts.duplicates,
                "failed": dict(sorted(counts.failed.items())),
            },
            "of": segment.of,
            "profiles" if segment.of == "users" else "accounts": preview.profiles,
            "members": preview.members,
            "days": preview.days,
            "stays": {
                (f"{name}_seconds" if name in _DURATIONS else name): _seconds(value) if name in _DURATIONS else value
                for name, value in stays.items()
            },
            "overlaps": preview.overlaps,
            "sample": [_shown(shown) for shown in preview.sample],
            "cost": {
                "text": preview.cost.text,
                "bounded": preview.cost.bounded,
                "retention_seconds": _seconds(preview.cost.retention_us),
                "timers_per_profile": preview.timers,
                "referred": {name: cost.text for name, cost in preview.costs_of_others},
            },
            "activation": preview.activation if segment.of == "users" else None,
            "difference": None if preview.difference is None else _difference(preview.difference),
            "warnings": warnings,
            "memberships": memberships(preview.rows),
        }
    )


def story_json(story: Story, segment: str, as_of: int) -> bytes:
    """The whole story, one JSON object on one line."""
    return _dump(
        {
            "profile_id": story.profile_id,
            "as_of": instant_text(as_of),
            "segments": story.segments,
            "segment": segment,
            "standing": _standing(story.standing),
            "changes": [_turn(turn) for turn in story.turns],
            "events": [_event(event) for event in story.events],
        }
    )


def memberships(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Rows of the table `memberships`, by column."""
    columns = MEMBERSHIPS.columns
    return [
        {
            column.name: instant_text(value) if column.type == "TIMESTAMP" and value is not None else value
            for column, value in zip(columns, row, strict=True)
        }
        for row in rows
    ]


def _difference(difference: Difference) -> dict[str, Any]:
    return {
        "segment_version": difference.version,
        "members": difference.members,
        "added": difference.added,
        "removed": difference.removed,
        "added_sample": [_shown(shown) for shown in difference.added_sample],
        "removed_sample": [_shown(shown) for shown in difference.removed_sample],
        "memberships": memberships(difference.rows),
    }


def _shown(shown: Shown) -> dict[str, Any]:
    found = {"profile_id": shown.profile_id, **_standing(shown.standing)}
    return found if shown.against is None else {**found, "against": _standing(shown.against)}


def _standing(standing: Standing) -> dict[str, Any]:
    reason = standing.reason
    return {
        "member": standing.member,
        "since": _instant(standing.since),
        "next_change": standing.next_change,
        "next_at": _instant(standing.next_at),
        "obstacle": standing.obstacle or None,
        "rule": None if standing.findings is None else _findings(standing.findings),
        "needed_events": [] if reason is None else [_event(event) for event in reason.events],
        "spare_message_ids": [] if reason is None else reason.spare,
    }


def _findings(item: Finding | FindingGroup) -> dict[str, Any]:
    if isinstance(item, FindingGroup):
        return {"fulfilled": item.fulfilled, item.kind: [_findings(inner) for inner in item.items]}
    return {
        "fulfilled": item.fulfilled,
        "part": item.rule,
        "what": item.what,
        "value": item.value,
        "wanted": item.wish,
        "changes_at": _instant(item.changes_at),
        "steps": [{"filter": words, "events": count} for words, count in item.steps],
    }


def _turn(turn: Turn) -> dict[str, Any]:
    return {
        "at": instant_text(turn.at),
        "segment": turn.segment,
        "change": turn.change,
        "cause": turn.cause,
        "message_ids": [event[MESSAGE_ID] for event in turn.events],
        "parts": None if turn.parts is None else [_findings(part) for part in turn.parts],
    }


def _event(event: Record) -> dict[str, Any]:
    fields = {"properties": PROPERTIES, "traits": TRAITS, "context": CONTEXT}
    objects = {name: orjson.Fragment(event[place]) for name, place in fields.items() if event[place] is not None}
    return {
        "message_id": event[MESSAGE_ID],
        "timestamp": instant_text(event[TIMESTAMP]),
        "type": event[TYPE],
        "event": event_name(event),
        **objects,
    }


def _instant(instant: int | None) -> str | None:
    return None if instant is None else instant_text(instant)


def _seconds(microseconds: float | None) -> float | None:
    return None if microseconds is None else microseconds / 1_000_000


def _dump(value: dict[str, Any]) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)

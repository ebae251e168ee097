"""What the tables must hold: parsed lines through the reference of tests/reference, put into columns by plain code."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson

from schemas.event import Event, Failure
from schemas.tables import PROFILES
from schemas.tracking_plan import load_tracking_plan
from tests.jobs.job import Row, Tables
from tests.jobs.worlds import Settings
from tests.reference import memberships as reference
from tests.reference.accounts import Account
from tests.reference.accounts import accounts as reference_accounts
from tests.reference.failed import is_erased
from tests.reference.identity import Pass, Resolution, resolve
from tests.reference.memberships import MembershipRow
from transforms.parse import EventParser, canonical_content_hash
from transforms.profiles.normalize.traits import normalize_traits
from transforms.segments.language import ast

Content = tuple[bytes, int, bytes, Event]
"""(hash, time, line, event)."""
FAILED_COLUMNS = ("reason", "errors", "stage", "message_id", "raw", "received_at")


@dataclass
class World:
    """Deduplicated events, their bytes, what failed so far, and identity resolved."""

    events: list[Event]
    raw: dict[str, bytes]
    failures: list[Failure]
    as_of: int
    settings: Settings
    identity: Resolution
    retractions: list[Row]


def expected_tables(
    lines: Iterable[bytes], definitions: ast.Definitions, settings: Settings, parser: EventParser | None = None
) -> Tables:
    """Every table, in order of its key; `change_id`, `failure_id`, `receipt_id`, `source` and versions left out."""
    world = _resolved(lines, settings, parser or EventParser(load_tracking_plan()))
    by_profile: dict[str, list[Event]] = defaultdict(list)
    for event in sorted(world.events, key=lambda one: (one.timestamp, one.message_id)):
        if event.message_id in world.identity.profile_of and event.timestamp <= world.as_of:
            by_profile[world.identity.profile_of[event.message_id]].append(event)
    people = definitions.about("users")
    rows = {
        profile_id: reference.memberships(profile_id, events, people, world.as_of)
        for profile_id, events in by_profile.items()
    }
    versions = {segment.name: segment.version for segment in definitions.segments}
    profiles = [_profile(key, events, rows[key], people, world.as_of) for key, events in by_profile.items()]
    profiles += [_merged(key, into, world.as_of) for key, into in world.identity.merged.items()]
    accounts = reference_accounts(by_profile, definitions, world.as_of)
    rows |= {f"account:{account.group_id}": account.memberships for account in accounts}
    memberships = [_membership(key, row, versions, world.as_of) for key, found in rows.items() for row in found]
    changes = [change for key, found in rows.items() for row in found for change in _changes(key, row, versions)]
    return {
        "profiles": sorted(profiles, key=lambda row: str(row["profile_id"])),
        "memberships": sorted(memberships, key=lambda row: (row["profile_id"], row["segment"], row["entered_at"])),
        "membership_changes": sorted(changes, key=_change_order),
        "events": sorted(_events(world), key=lambda row: str(row["message_id"])),
        "failed_events": sorted(_failed(world), key=_failure_order),
        "identity_links": sorted(_links(world), key=lambda row: tuple(row.values())),
        "retractions": sorted(world.retractions, key=lambda row: str(row["message_id"])),
        "accounts": [_account(account, world.as_of) for account in accounts],
        "deletions": sorted(_deletions(world), key=lambda row: (row["requested_at"], row["id_hash"])),
    }


def comparable(tables: Tables) -> Tables:
    """Tables as the job wrote them, but without what `expected_tables` leaves out, in its order, bytes as text."""
    left_out = {"change_id", "failure_id", "receipt_id", "source", "pipeline_version", "attributes", "version"}
    found = {
        name: [{key: value for key, value in row.items() if key not in left_out} for row in rows]
        for name, rows in tables.items()
    }
    for row in (*found["profiles"], *found["accounts"]):
        row["computed"] = _without_nulls(row["computed"])
    for row in found["membership_changes"]:
        del row["recorded_at"]
    found["membership_changes"].sort(key=_change_order)
    for row in found["failed_events"]:
        row["raw"] = row["raw"].decode("latin-1")
    found["failed_events"].sort(key=_failure_order)
    found["deletions"].sort(key=lambda row: (row["requested_at"], row["id_hash"]))
    return found


def _resolved(lines: Iterable[bytes], settings: Settings, parser: EventParser) -> World:
    failures: list[Failure] = []
    copies: dict[str, list[Content]] = defaultdict(list)
    for line in sorted(set(lines)):
        parsed = parser.parse(line, "events")
        if isinstance(parsed, Failure):
            failures.append(parsed)
        else:
            copies[parsed.message_id].append((canonical_content_hash(line), parsed.timestamp, line, parsed))
    events, raw = [], {}
    contents = {
        message_id: [min(one for one in same if one[0] == content) for content in sorted({one[0] for one in same})]
        for message_id, same in copies.items()
    }
    retractions = _retract(contents, failures)
    for message_id, same in contents.items():
        if not same:
            continue
        if same[0][3].type != "retract":
            events.append(same[0][3])
        raw[message_id] = same[0][2]
        failures += [_failure("conflicting_duplicate", "deduplicate", copy[3], copy[2]) for copy in same[1:]]
    as_of = max((event.timestamp for event in events), default=0) if settings.as_of is None else settings.as_of
    identity = resolve(events, as_of, settings.stitch_window_us, settings.max_merges)
    failures += [
        _failure(identity.failures[event.message_id], "identity", event, raw[event.message_id])
        for event in events
        if event.message_id in identity.failures
    ]
    world = World(events, raw, failures, as_of, settings, identity, retractions)
    before = _left(world, events)
    deletes = [event for event in before.known if event.type == "delete"]
    world.failures = [
        failure._replace(raw=b"", errors=()) if is_erased(failure, before, deletes) else failure for failure in failures
    ]
    return world


def _retract(contents: dict[str, list[Content]], failures: list[Failure]) -> list[Row]:
    """Takes the standing content of every id that a retract names, unless that is final; rows of `retractions`."""
    first = {message_id: same[0][3] for message_id, same in contents.items()}
    named = {one[3].previous_id for same in contents.values() for one in same if one[3].type == "retract"}
    for message_id in named:
        if message_id in first and first[message_id].type not in ("delete", "retract"):
            del contents[message_id][0]
    rows = []
    for _, _, line, event in [same[0] for same in contents.values() if same and same[0][3].type == "retract"]:
        target = event.previous_id
        if target in first and first[target].type in ("delete", "retract"):
            failures.append(_failure("not_retractable", "retract", event, line))
        else:
            row = {"message_id": event.message_id, "retracts": target}
            rows.append({**row, "timestamp": event.timestamp, "found": target in first})
    return rows


def _failure(reason: str, stage: str, event: Event, raw: bytes) -> Failure:
    error = {
        "deduplicate": "/messageId: expected other events with this messageId to have the same content",
        "identity": "/previousId: expected a previousId that can be merged into userId",
        "retract": "/retracts: expected the messageId of an event that is neither a delete nor a retract",
    }[stage]
    stage = "deduplicate" if stage == "retract" else stage
    return Failure(reason, (error,), stage, event.message_id, raw, {}, "events", event.received_at)


def _failed(world: World) -> list[Row]:
    rows = ({name: getattr(failure, name) for name in FAILED_COLUMNS} for failure in world.failures)
    return [{**row, "errors": list(row["errors"]), "raw": row["raw"].decode("latin-1")} for row in rows]


def _events(world: World) -> list[Row]:
    return [
        {
            "message_id": event.message_id,
            "profile_id": world.identity.profile_of[event.message_id],
            "user_id": event.user_id,
            "anonymous_id": event.anonymous_id,
            "previous_id": event.previous_id,
            "group_id": event.group_id,
            "type": event.type,
            "event": event.name or None,
            "timestamp": event.timestamp,
            "received_at": event.received_at,
            "properties": _json(event.properties),
            "traits": _json(event.traits),
            "context": _json(event.context),
        }
        for event in world.events
        if event.message_id in world.identity.profile_of
    ]


def _json(text: bytes | None) -> Any:
    return None if text is None else orjson.loads(text)


def _profile(
    profile_id: str, events: list[Event], rows: list[MembershipRow], definitions: ast.Definitions, as_of: int
) -> Row:
    traits: dict[str, Any] = {}
    writes: dict[str, tuple[Any, int, str]] = {}
    device = None
    for event in events:
        if event.type == "identify":
            written = _json(event.traits) or {}
            traits.update(written)
            writes.update({name: (value, event.timestamp, event.message_id) for name, value in written.items()})
        device = ((_json(event.context) or {}).get("device") or {}).get("type") or device
    traits = _without_nulls(traits)
    columns, _ = normalize_traits(writes, device)
    return {
        "profile_id": profile_id,
        "user_id": profile_id[5:] if profile_id.startswith("user:") else None,
        "anonymous_ids": sorted({event.anonymous_id for event in events if event.anonymous_id is not None}),
        **columns,
        "traits": traits,
        "computed": _without_nulls(reference.computed(profile_id, events, definitions, as_of)),
        "segments": sorted(row.segment for row in rows if row.exited_at is None),
        "first_seen_at": events[0].timestamp,
        "last_seen_at": events[-1].timestamp,
        "event_count": len(events),
        "merged_into": None,
        "recorded_at": as_of,
    }


def _without_nulls(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _account(account: Account, as_of: int) -> Row:
    return {
        "account_id": f"account:{account.group_id}",
        "traits": account.traits,
        "computed": _without_nulls(account.computed),
        "segments": sorted(row.segment for row in account.memberships if row.exited_at is None),
        "user_count": account.user_count,
        "first_seen_at": account.first_seen_at,
        "last_seen_at": account.last_seen_at,
        "event_count": account.event_count,
        "recorded_at": as_of,
    }


def _merged(profile_id: str, into: str, as_of: int) -> Row:
    row = dict.fromkeys(name for name in PROFILES.column_names() if name != "version")
    user_id = profile_id[5:] if profile_id.startswith("user:") else None
    empty: Row = {"anonymous_ids": [], "tags": [], "traits": {}, "computed": {}, "segments": [], "event_count": 0}
    return row | empty | {"profile_id": profile_id, "user_id": user_id, "merged_into": into, "recorded_at": as_of}


def _membership(profile_id: str, row: MembershipRow, versions: dict[str, str], as_of: int) -> Row:
    return {
        "profile_id": profile_id,
        "segment": row.segment,
        "entered_at": row.entered_at,
        "exited_at": row.exited_at,
        "expires_at": row.expires_at,
        "segment_version": versions[row.segment],
        "message_ids": list(row.message_ids),
        "exit_message_ids": list(row.exit_message_ids),
        "recorded_at": as_of,
    }


def _changes(profile_id: str, row: MembershipRow, versions: dict[str, str]) -> list[Row]:
    said: list[tuple[str, int | None, str | None, tuple[str, ...]]] = [
        ("entered", row.entered_at, row.enter_cause, row.message_ids),
        ("exited", row.exited_at, row.exit_cause, row.exit_message_ids),
    ]
    names = ("profile_id", "segment", "segment_version", "change", "at", "cause", "message_ids")
    return [
        dict(zip(names, (profile_id, row.segment, versions[row.segment], change, at, cause, list(ids)), strict=True))
        for change, at, cause, ids in said
        if at is not None
    ]


def _failure_order(row: Row) -> tuple[Any, ...]:
    return row["reason"], row["raw"], str(row["message_id"]), str(row["received_at"]), row["stage"]


def _change_order(row: Row) -> tuple[Any, ...]:
    return row["profile_id"], row["segment"], row["at"], row["change"]


def _left(world: World, events: Iterable[Event]) -> Pass:
    ordered = sorted(events, key=lambda event: (event.timestamp, event.message_id))
    return Pass(ordered, world.as_of, world.settings.stitch_window_us, world.settings.max_merges)


def _links(world: World) -> list[Row]:
    """The links of devices, and the aliases that merged a user; one row per key."""
    left = _left(world, [event for event in world.events if event.message_id not in world.identity.erased])
    links = set(world.identity.links)
    merged: set[str] = set()
    for event in left.known:
        if event.type == "alias" and event.message_id not in left.failures and event.previous_id in left.users:
            if event.previous_id not in merged:
                links.add((event.previous_id, event.user_id or "", event.timestamp, event.message_id))
            merged.add(event.previous_id)
    names = ("anonymous_id", "user_id", "timestamp", "message_id")
    first = {link for link in links if link == min(other for other in links if other[:3] == link[:3])}
    return [dict(zip(names, link, strict=True)) for link in first]


def _deletions(world: World) -> list[Row]:
    before = _left(world, world.events)
    deletes = [event for event in before.known if event.type == "delete"]
    counts = {event.message_id: {"events": 0, "identity_links": 0} for event in deletes}
    for event in before.known:
        if event.message_id in world.identity.erased and event.type != "delete":
            counts[next(delete.message_id for delete in deletes if before.erases(delete, event))]["events"] += 1
    for _, user, timestamp, _ in before.links:
        root = before.root(user)
        for delete in deletes:
            if timestamp <= delete.timestamp and before.root(delete.user_id or "") == root:
                counts[delete.message_id]["identity_links"] += 1
                break
    return [
        {
            "id_hash": hashlib.sha256((event.user_id or "").encode()).hexdigest(),
            "requested_at": event.timestamp,
            "completed_at": world.as_of,
            "counts": counts[event.message_id],
        }
        for event in deletes
    ]

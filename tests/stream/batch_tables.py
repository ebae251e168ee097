"""The tables of a world, by the pure functions of the bounded job, one after the other."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from typing import Any

import orjson

from schemas.event import ANONYMOUS_ID, MESSAGE_ID, PREVIOUS_ID, TIMESTAMP, TYPE, USER_ID, Failure
from schemas.tables import TABLES
from tests.stream.made_worlds import World
from transforms.deduplicate.copies import RAW, SOURCE, deduplicate
from transforms.identity.aliases import Alias
from transforms.identity.links import Link
from transforms.identity.plan import Deletion, Device, IdentityPlan, make_plan
from transforms.profiles.history import BY_TIME, build_history
from transforms.profiles.rows import merged_profile
from transforms.records import Record
from transforms.segments.program import Program
from transforms.stream.rows import event_row, failure_row

Tables = dict[str, dict[tuple[Any, ...], tuple[Any, ...]]]
"""Rows by table and key, without the columns that tell when a row was written."""

WRITTEN_WHEN = {"version", "recorded_at", "completed_at"}


def comparable(table: str, row: tuple[Any, ...]) -> tuple[Any, ...]:
    """The row without what tells when it was written."""
    names = next(known for known in TABLES if known.name == table).column_names()
    return tuple(value for name, value in zip(names, row, strict=True) if name not in WRITTEN_WHEN)


class Batch:
    """Builds the tables of a world."""

    def __init__(self, world: World, program: Program) -> None:
        self.world = world
        self.program = program
        self.tables: Tables = {table.name: {} for table in TABLES}
        self.erased: Counter[tuple[str, str]] = Counter()
        self.histories: dict[str, list[Record]] = defaultdict(list)

    def build(self) -> Tables:
        kept = deduplicate(self.world.records)
        for failure in kept.failures:
            self.put("failed_events", failure_row(failure))
        records = kept.records
        plan = self.plan(records)
        for record in records:
            if record[USER_ID] is not None and record[TYPE] != "delete":
                self.user_event(record, plan)
        self.devices(records, plan)
        for user, root in plan.roots.items():
            self.put("profiles", merged_profile(f"user:{user}", f"user:{root}", 0))
        for alias in plan.merged:
            row = (alias.previous_id, alias.user_id, alias.timestamp, alias.message_id)
            self.put("identity_links", min(row, self.tables["identity_links"].get(row[:3], row)))
        for profile_id, events in self.histories.items():
            self.profile(profile_id, sorted(events, key=BY_TIME))
        for record in records:
            if record[TYPE] == "delete":
                self.receipt(record)
        return self.tables

    def put(self, table: str, row: tuple[Any, ...]) -> None:
        keys = next(known for known in TABLES if known.name == table).key
        self.tables[table][row[: len(keys)]] = comparable(table, row)

    def plan(self, records: list[Record]) -> IdentityPlan:
        aliases = [
            Alias(record[TIMESTAMP], record[MESSAGE_ID], record[PREVIOUS_ID], record[USER_ID])
            for record in records
            if record[TYPE] == "alias"
        ]
        previous = {alias.previous_id for alias in aliases}
        last_seen: dict[str, int] = {}
        for record in records:
            user, at = record[USER_ID], record[TIMESTAMP]
            if record[TYPE] != "delete" and user in previous:
                last_seen[user] = max(at, last_seen.get(user, at))
        deletions = [
            Deletion(record[TIMESTAMP], record[MESSAGE_ID], record[USER_ID])
            for record in records
            if record[TYPE] == "delete"
        ]
        limits = {"stitch_window_us": self.world.stitch_window, "max_merges": self.world.max_merges}
        return make_plan(aliases, deletions, last_seen, self.world.as_of, **limits)

    def user_event(self, record: Record, plan: IdentityPlan) -> None:
        deletion = plan.erased_by(record[USER_ID], record[TIMESTAMP])
        reason = plan.refused.get(record[MESSAGE_ID])
        if deletion is not None:
            self.erased[deletion, "events"] += 1
        elif reason is not None:
            error = "/previousId: expected a previousId that can be merged into userId"
            failure = (reason, (error,), "identity", record[MESSAGE_ID], record[RAW], {}, record[SOURCE], record[8])
            self.put("failed_events", failure_row(Failure(*failure)))
        else:
            self.histories[f"user:{plan.root(record[USER_ID])}"].append(record[:RAW])

    def devices(self, records: list[Record], plan: IdentityPlan) -> None:
        links: dict[str, list[Link]] = defaultdict(list)
        events: dict[str, list[Record]] = defaultdict(list)
        for record in records:
            if record[USER_ID] is None:
                events[record[ANONYMOUS_ID]].append(record[:RAW])
                continue
            link = Link(record[TIMESTAMP], record[MESSAGE_ID], record[USER_ID])
            if record[TYPE] == "delete":
                continue
            for of_previous, device_id in ((False, record[ANONYMOUS_ID]), (True, record[PREVIOUS_ID])):
                stands = plan.stands(link.message_id, of_previous=of_previous)
                if device_id is not None and stands:
                    links[device_id].append(link._replace(stands=stands))
        for device_id in {*links, *events}:
            self.device(device_id, events[device_id], links[device_id], plan)

    def device(self, device_id: str, events: list[Record], links: list[Link], plan: IdentityPlan) -> None:
        device = Device(plan, links)
        for link in links:
            deletion = plan.erased_by(link.user_id, link.timestamp)
            if deletion is not None:
                self.erased[deletion, "identity_links"] += 1
        for link in device.links:
            self.put("identity_links", (device_id, link.user_id, link.timestamp, link.message_id))
        own, stitched = False, None
        for event in sorted(events, key=BY_TIME):
            user, deletion = device.owner(event[TIMESTAMP]) if links else (None, None)
            if deletion is not None:
                self.erased[deletion, "events"] += 1
            elif user is None:
                own = True
                self.histories[f"anon:{device_id}"].append(event)
            else:
                self.histories[f"user:{plan.root(user)}"].append(event)
                if stitched is None and device.is_stitched(event[TIMESTAMP]):
                    stitched = user
        if stitched is not None and not own:
            self.put("profiles", merged_profile(f"anon:{device_id}", f"user:{plan.root(stitched)}", 0))

    def profile(self, profile_id: str, events: list[Record]) -> None:
        history = build_history(self.program, profile_id, events, self.world.as_of)
        assert history is not None
        self.put("profiles", history.profile)
        for row in history.memberships:
            self.put("memberships", row)
        for event in events:
            self.put("events", event_row(event, profile_id, 0).row)

    def receipt(self, record: Record) -> None:
        counts = {table: self.erased[record[MESSAGE_ID], table] for table in ("events", "identity_links")}
        self.put(
            "deletions",
            (
                hashlib.sha256(f"receipt\0{record[MESSAGE_ID]}".encode()).hexdigest()[:32],
                hashlib.sha256(record[USER_ID].encode()).hexdigest(),
                record[TIMESTAMP],
                0,
                orjson.dumps(counts),
            ),
        )

"""Accounts by brute force: each user's history and the account's own, asked at every instant that may change any."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from schemas.event import Event
from tests.reference.history import Happening, History, decode
from tests.reference.instants import nodes
from tests.reference.memberships import MembershipRow, Simulation, row, simulate
from tests.reference.rules import value
from tests.reference.values import as_json
from tests.reference.witness import hidden_segment
from transforms.segments.language import ast

TAKEN = ("track", "page", "screen")


@dataclass(frozen=True)
class Account:
    """What an account comes to."""

    group_id: str
    traits: dict[str, Any]
    computed: dict[str, Any]
    user_count: int
    event_count: int
    first_seen_at: int
    last_seen_at: int
    memberships: list[MembershipRow]


def accounts(profiles: Mapping[str, Sequence[Event]], definitions: ast.Definitions, as_of: int) -> list[Account]:
    """Every account, of the events of profiles until an instant."""
    groups = {event.group_id for events in profiles.values() for event in events if event.type == "group"} - {None, ""}
    return [account(str(group), profiles, definitions, as_of) for group in sorted(map(str, groups))]


def account(
    group_id: str, profiles: Mapping[str, Sequence[Event]], definitions: ast.Definitions, as_of: int
) -> Account:
    """One of them."""
    people = _with_hidden_segments(definitions)
    users, happenings = [], list[Happening]()
    count = 0
    for profile_id, events in profiles.items():
        joins = [event.timestamp for event in events if event.type == "group" and event.group_id == group_id]
        if not joins:
            continue
        user = simulate(profile_id, events, people, as_of)
        assert user is not None
        users.append((min(joins), user))
        own = [event for event in events if event.timestamp >= min(joins)]
        count += len(own)
        for event in own:
            if event.type == "group" and event.group_id == group_id:
                happenings.append(replace(decode(event), type="identify", properties=None, context=None))
            elif event.type in TAKEN:
                happenings.append(decode(event))
    happenings.sort(key=lambda happening: happening.order)
    history = History(f"account:{group_id}", happenings, definitions.about("accounts"), users=users)
    Simulation(history, as_of).run()
    every = [event.timestamp for joined, user in users for event in user.happenings if event.timestamp >= joined]
    return Account(
        group_id,
        _traits(happenings),
        {trait.name: as_json(value(trait.value, as_of, history)) for trait in history.definitions.traits},
        len(users),
        count,
        min(joined for joined, _ in users),
        max(every),
        sorted(row(interval, history, as_of) for interval in history.intervals if interval.entered_at <= as_of),
    )


def _traits(happenings: list[Happening]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for happening in happenings:
        if happening.type == "identify":
            found.update(happening.traits or {})
    return {name: trait for name, trait in found.items() if trait is not None}


def _with_hidden_segments(definitions: ast.Definitions) -> ast.Definitions:
    """Those of people, and of each rule inside ANY or ALL the people for whom it holds, and for whom it does not."""
    rules = {repr(node.item): node.item for node in nodes(definitions) if isinstance(node, ast.Quantified)}
    hidden = [
        ast.SegmentDefinition(hidden_segment(rule, answer), "", rule if answer else ast.Not(rule))
        for rule in rules.values()
        for answer in (True, False)
    ]
    people = definitions.about("users")
    return ast.Definitions((*people.segments, *hidden), people.traits)

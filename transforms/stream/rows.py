"""Rows that cells write one by one, in the column order of schemas/tables.py."""

from __future__ import annotations

from typing import Any

from schemas.event import Failure
from schemas.tables import EVENTS, FAILED_EVENTS
from schemas.update import RowUpdate
from transforms.failed_events import failed_events_block
from transforms.state.facts import Fact


def event_row(event: Fact, profile_id: str, version: int) -> RowUpdate:
    """The row of an event that belongs to a profile."""
    message_id, timestamp, kind, name, user, device, previous, group, received, properties, traits, context = event
    said = (properties, traits, context, previous, group)
    row = (message_id, profile_id, user, device, kind, name or None, timestamp, received, *said)
    return RowUpdate(EVENTS.name, row, version)


def no_event_row(message_id: str, version: int) -> RowUpdate:
    """Takes the row of an event away."""
    row = (message_id, *(None,) * (len(EVENTS.columns) - 1))
    return RowUpdate(EVENTS.name, row, version, withdrawn=True)


def failure_row(failure: Failure) -> tuple[Any, ...]:
    """The row of a failure; its first column is its key."""
    return tuple(column[0] for column in failed_events_block([failure]).columns)


def failure_update(failure: Failure, version: int = 0) -> RowUpdate:
    """A row of failed_events that nobody takes back."""
    return RowUpdate(FAILED_EVENTS.name, failure_row(failure), version)

"""Rows as a stream writes them one by one: with a version, and taken away again."""

from __future__ import annotations

from schemas.tables import EVENTS
from schemas.update import RowUpdate
from transforms.profiles.rows import event_row
from transforms.state.facts import Fact

_new = tuple.__new__
_EVENTS = EVENTS.name


def event_update(event: Fact, profile_id: str, version: int) -> RowUpdate:
    """The row of an event that belongs to a profile."""
    # In half the time that its constructor takes.
    return _new(RowUpdate, (_EVENTS, event_row(event, profile_id), version, False, 0))


def no_event_row(message_id: str, version: int) -> RowUpdate:
    """Takes the row of an event away."""
    row = (message_id, *(None,) * (len(EVENTS.columns) - 1))
    return RowUpdate(EVENTS.name, row, version, withdrawn=True)

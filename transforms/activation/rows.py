"""Rows of the ledger, and the changes that a destination is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

State = Literal["acknowledged", "pending", "refused", "suppressed"]
ACKNOWLEDGED: State = "acknowledged"
PENDING: State = "pending"
REFUSED: State = "refused"
SUPPRESSED: State = "suppressed"

Key = tuple[str, str]
"""Profile and segment; or hashed identifier and segment."""


class Activation(NamedTuple):
    """A row of `activations`, its columns in order."""

    destination: str
    profile_id: str
    segment: str
    wanted: bool
    state: State
    identifier_hash: str
    fields_hash: str | None
    attempts: int
    reason: str | None
    changed_at: int

    @property
    def key(self) -> Key:
        """Of the rows of one destination."""
        return self.profile_id, self.segment

    @property
    def place(self) -> Key:
        """What it is about at the destination."""
        return self.identifier_hash, self.segment


class Record(NamedTuple):
    """A row of `destination_records`, its columns in order."""

    destination: str
    identifier_hash: str
    record_id: str
    profile_id: str
    noted_at: int


@dataclass(frozen=True, slots=True)
class Change:
    """What is asked for one identifier: into segments, out of segments, or gone altogether.

    Attributes:
        kind: what is asked.
        identifier_hash: how the ledger knows the identifier.
        identifier: the identifier; None where only the ledger still knows of it.
        record_id: its record's id at the destination, "" where it is not known.
        profile_id: whose fields are sent; of a removal the first of its rows.
        segments: to be put into, or taken out of. Empty: only the fields have changed.
        fields: by the destination's names.
        rows: the rows of the ledger that it is about, as they stand before the request: pending.
    """

    kind: Literal["add", "remove", "erase"]
    identifier_hash: str
    identifier: str | None
    record_id: str
    profile_id: str
    segments: tuple[str, ...]
    fields: Mapping[str, Any] = field(default_factory=dict)
    rows: tuple[Activation, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a change. `record_id`: of the record at the destination, where it was learnt."""

    change: Change
    state: State
    reason: str | None = None
    record_id: str = ""

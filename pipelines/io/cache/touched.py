"""Whose place in the cache may change by a batch of written rows. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from schemas.tables import IDENTITY_LINKS, MEMBERSHIPS, PROFILES
from schemas.update import RowUpdate

_MERGED_INTO = PROFILES.column_names().index("merged_into")


def touched_profiles(updates: Iterable[RowUpdate]) -> set[str]:
    """Ids of profiles: those of the rows, whoever took one over, and both sides of a link."""
    found: set[str] = set()
    for update in updates:
        if update.table == MEMBERSHIPS.name:
            found.add(update.row[0])
        elif update.table == PROFILES.name:
            found.add(update.row[0])
            if update.row[_MERGED_INTO]:
                found.add(update.row[_MERGED_INTO])
        elif update.table == IDENTITY_LINKS.name:
            found.add(f"anon:{update.row[0]}")
            found.add(f"user:{update.row[1]}")
    return found

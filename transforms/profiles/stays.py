"""From what was said about a profile's memberships to what is true now: rows of the log, with their causes.

A stay is named by its segment and the instant of its entry. What turns out never to have been is `retracted`; a stay
whose end turns out wrong is retracted and said again. The nth time that a stay is said its change ids differ from those
of the first, so that the log keeps the whole story, while a bundle that is played again says the same ids.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from transforms.profiles.rows import change_id
from transforms.profiles.stay_list import StayKey
from transforms.segments.replay import MembershipInterval


class Stay(NamedTuple):
    """A membership as it was last written. `generation`: how often it had been retracted before."""

    exited_at: int | None
    expires_at: int | None
    segment_version: str
    message_ids: tuple[str, ...]
    exit_message_ids: tuple[str, ...]


class Change(NamedTuple):
    """A row of the log to be."""

    change_id: str
    segment: str
    segment_version: str
    change: str
    at: int
    cause: str
    message_ids: tuple[str, ...]


class Said:
    """What changes between two evaluations of one profile.

    Args:
        profile_id: the profile.
        generations: how often each stay that was ever retracted has been retracted; kept up to date.
        prior_now: up to where the former evaluation went; None: there was none.
        correction: the cause of what changes before that.
    """

    def __init__(
        self, profile_id: str, generations: dict[StayKey, int], prior_now: int | None, correction: str
    ) -> None:
        self._profile_id = profile_id
        self._generations = generations
        self._prior_now = prior_now
        self._correction = correction

    def compare(
        self, before: Mapping[StayKey, Stay], after: Iterable[MembershipInterval], versions: Mapping[str, str]
    ) -> list[Change]:
        """Retractions, then entries and exits in order of time."""
        stays = {(stay.segment, stay.entered_at): stay for stay in after}
        retracted, changes = [], []
        for key, was in before.items():
            now = stays.get(key)
            if now is None or was.exited_at not in (None, now.exited_at):
                retracted.append(key)
        said = [
            self._row(before[key].segment_version, "retracted", key, key[1], self._correction, ()) for key in retracted
        ]
        for key in retracted:
            self._generations[key] = self._generations.get(key, 0) + 1
        for key, stay in stays.items():
            version = versions[stay.segment]
            known = None if key in retracted else before.get(key)
            if known is None:
                cause = self._cause(stay.entered_at, stay.enter_cause)
                changes.append(self._row(version, "entered", key, stay.entered_at, cause, stay.message_ids))
            if stay.exited_at is not None and (known is None or known.exited_at is None):
                cause = self._cause(stay.exited_at, stay.exit_cause or "")
                changes.append(self._row(version, "exited", key, stay.exited_at, cause, stay.exit_message_ids))
        return said + sorted(changes, key=lambda change: (change.at, change.change != "exited", change.segment))

    def _cause(self, at: int, natural: str) -> str:
        return natural if self._prior_now is None or at >= self._prior_now else self._correction

    def _row(self, version: str, change: str, key: StayKey, at: int, cause: str, ids: tuple[str, ...]) -> Change:
        name = change_id(self._profile_id, key[0], version, change, at)
        generation = self._generations.get(key, 0)
        if generation:
            name = hashlib.sha256(f"{name}\0{key[1]}\0{generation}".encode()).hexdigest()[:32]
        return Change(name, key[0], version, change, at, cause, ids)


def as_stay(stay: MembershipInterval, version: str) -> Stay:
    """What is kept of a stay that was written."""
    return Stay(stay.exited_at, stay.expires_at, version, tuple(stay.message_ids), tuple(stay.exit_message_ids))


def change_row(profile_id: str, change: Change, recorded_at: int) -> tuple[Any, ...]:
    """The row of `membership_changes`."""
    return (
        change.change_id,
        profile_id,
        change.segment,
        change.segment_version,
        change.change,
        change.at,
        change.cause,
        list(change.message_ids),
        recorded_at,
    )

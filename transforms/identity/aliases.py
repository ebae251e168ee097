"""Aliases of users: which users are one profile . Pure.

Aliases are few, and each can concern any other: they are resolved together, in order of (timestamp, message id).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from schemas import failure_reasons
from schemas.event import Failure
from transforms.deduplicate.copies import failure_of
from transforms.records import Record

DEFAULT_MAX_MERGES = 100


class Alias(NamedTuple):
    """An alias event: from now on `previous_id` is `user_id`."""

    timestamp: int
    message_id: str
    previous_id: str
    user_id: str


class Merges:
    """Which user each merged user has become.

    `refused` leads from the message id of an alias that merges nothing to its reason, `links` are the aliases whose
    previous id is a device, `merged` those that merged a user.
    """

    def __init__(self) -> None:
        self.refused: dict[str, str] = {}
        self.links: list[Alias] = []
        self.merged: list[Alias] = []
        self._into: dict[str, str] = {}
        self._sizes: dict[str, int] = {}
        self._devices: dict[str, str] = {}

    def root(self, user_id: str) -> str:
        """The user into whom `user_id` has been merged in the end; itself if it has not."""
        while (into := self._into.get(user_id)) is not None:
            user_id = into
        return user_id

    def absorbed(self) -> dict[str, str]:
        """Every merged user and its root."""
        return {user_id: self.root(user_id) for user_id in self._into}

    def take(self, alias: Alias, *, is_user: bool, max_merges: int) -> None:
        """Applies the next alias, or says why not."""
        fault = self._fault(alias, max_merges if is_user else None)
        if fault is not None:
            self.refused[alias.message_id] = fault
            return
        previous, user = alias.previous_id, alias.user_id
        if not is_user:
            self._devices[previous] = user
            self.links.append(alias)
        elif previous not in self._into:
            root = self.root(user)
            self._sizes[root] = self._size_with(alias)
            self._into[previous] = user
            self.merged.append(alias)

    def _fault(self, alias: Alias, max_merges: int | None) -> str | None:
        step: str | None = alias.user_id
        while step is not None:
            if step == alias.previous_id:
                return failure_reasons.ALIAS_CYCLE
            step = self._into.get(step)
        before = self._into.get(alias.previous_id, self._devices.get(alias.previous_id))
        if before is not None:
            return None if before == alias.user_id else failure_reasons.ALIAS_CONFLICT
        too_many = max_merges is not None and self._size_with(alias) > max_merges
        return failure_reasons.MERGE_LIMIT if too_many else None

    def _size_with(self, alias: Alias) -> int:
        """How many users the alias's root would have absorbed with it."""
        return self._sizes.get(self.root(alias.user_id), 0) + self._sizes.get(alias.previous_id, 0) + 1


def refusal(alias: Record, reason: str) -> Failure:
    """The failure of an alias that merges nothing, from its record."""
    return failure_of(alias, reason, "/previousId: expected a previousId that can be merged into userId", "identity")


def merge_users(
    aliases: Iterable[Alias], is_user: Callable[[str], bool], max_merges: int = DEFAULT_MAX_MERGES
) -> Merges:
    """Resolves all aliases. `is_user` tells whether an id occurs as the `userId` of any event.

    `max_merges` is how many users may be absorbed into one.
    """
    merges = Merges()
    for alias in sorted(aliases):
        merges.take(alias, is_user=is_user(alias.previous_id), max_merges=max_merges)
    return merges

"""Aliases of users: which users are one profile (CONTRACT section 3). Pure.

Aliases are few, and each can concern any other: they are resolved together, in order of (timestamp, message id).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from schemas import failure_reasons

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

    def root(self, user_id: str) -> str:
        """The user into whom `user_id` has been merged in the end; itself if it has not."""
        while (into := self._into.get(user_id)) is not None:
            user_id = into
        return user_id

    def absorbed(self) -> dict[str, str]:
        """Every merged user and its root."""
        return {user_id: self.root(user_id) for user_id in self._into}

    def take(self, alias: Alias, max_merges: int) -> None:
        """Applies the next alias whose previous id is a user, or says why not."""
        previous, user = alias.previous_id, alias.user_id
        root = self.root(user)
        before = self._into.get(previous)
        size = self._sizes.get(root, 0) + self._sizes.get(previous, 0) + 1
        if previous == root or previous == user:
            self.refused[alias.message_id] = failure_reasons.ALIAS_CYCLE
        elif before is not None:
            if before != user:
                self.refused[alias.message_id] = failure_reasons.ALIAS_CONFLICT
        elif size > max_merges:
            self.refused[alias.message_id] = failure_reasons.MERGE_LIMIT
        else:
            self._into[previous] = user
            self._sizes[root] = size
            self.merged.append(alias)


def merge_users(
    aliases: Iterable[Alias], is_user: Callable[[str], bool], max_merges: int = DEFAULT_MAX_MERGES
) -> Merges:
    """Resolves all aliases. `is_user` tells whether an id occurs as the `userId` of any event.

    `max_merges` is how many users may be absorbed into one.
    """
    merges = Merges()
    for alias in sorted(aliases):
        if is_user(alias.previous_id):
            merges.take(alias, max_merges)
        else:
            merges.links.append(alias)
    return merges

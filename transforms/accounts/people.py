"""The users of an account, and what its row tells of them, kept up to date as they are told one by one."""

from __future__ import annotations

from collections import Counter

from transforms.state.facts import Fact

_USER, _RULES, _JOINED, _LAST, _COUNT = 1, 3, 4, 5, 6
"""Places in a fact ("user", profile id, epoch, fingerprint of the rules, joined_at, last_seen_at, number of events)."""


class People:
    """The users that are told; of an account that changes, one may be missing or told twice for a while."""

    def __init__(self) -> None:
        self.event_count = 0
        self._told: Counter[str] = Counter()
        self._rules: Counter[str] = Counter()
        self._joined: Counter[int] = Counter()
        self._lasts: Counter[int] = Counter()
        self._first: int | None = None
        self._last: int | None = None

    def __len__(self) -> int:
        return len(self._told)

    def add(self, fact: Fact) -> None:
        self._count(fact, 1)
        if self._first is not None:
            self._first = min(self._first, fact[_JOINED])
        if self._last is not None:
            self._last = max(self._last, fact[_LAST])

    def remove(self, fact: Fact) -> None:
        self._count(fact, -1)
        if fact[_JOINED] not in self._joined and fact[_JOINED] == self._first:
            self._first = None
        if fact[_LAST] not in self._lasts and fact[_LAST] == self._last:
            self._last = None

    def _count(self, fact: Fact, by: int) -> None:
        self.event_count += by * fact[_COUNT]
        for counter, value in (
            (self._told, fact[_USER]),
            (self._rules, fact[_RULES]),
            (self._joined, fact[_JOINED]),
            (self._lasts, fact[_LAST]),
        ):
            counter[value] += by
            if not counter[value]:
                del counter[value]

    def all_told_by(self, rules: str) -> bool:
        """Whether all of them are told by these rules."""
        return not self._rules.keys() - {rules}

    def first_seen_at(self) -> int:
        """When the first was put in. There is one."""
        if self._first is None:
            self._first = min(self._joined)
        return self._first

    def last_seen_at(self) -> int:
        """The last event of any. There is one."""
        if self._last is None:
            self._last = max(self._lasts)
        return self._last

"""The users of an account, and what its row tells of them, kept up to date as they are told one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from transforms.state.facts import Fact

_USER, _RULES, _JOINED, _LAST, _COUNT = 1, 3, 4, 5, 6
"""Places in a fact ("user", profile id, epoch, fingerprint of the rules, joined_at, last_seen_at, number of events)."""


class People:
    """The users that are told; of an account that changes, one may be missing or told twice for a while."""

    def __init__(self) -> None:
        self.event_count = 0
        self._told: dict[str, list[Fact]] = {}
        self._rules: Counter[str] = Counter()
        self._first: int | None = None
        self._last: int | None = None

    def __len__(self) -> int:
        return len(self._told)

    def __contains__(self, profile_id: object) -> bool:
        return profile_id in self._told

    def add(self, fact: Fact) -> None:
        self._told.setdefault(fact[_USER], []).append(fact)
        self._rules[fact[_RULES]] += 1
        self.event_count += fact[_COUNT]
        if self._first is not None and self._last is not None:
            self._first, self._last = min(self._first, fact[_JOINED]), max(self._last, fact[_LAST])

    def remove(self, fact: Fact) -> None:
        told = self._told[fact[_USER]]
        told.remove(fact)
        if not told:
            del self._told[fact[_USER]]
        self._rules[fact[_RULES]] -= 1
        self.event_count -= fact[_COUNT]
        if fact[_JOINED] == self._first or fact[_LAST] == self._last:
            self._first = self._last = None

    def all_told_by(self, rules: str) -> bool:
        """Whether all of them are told by these rules."""
        return self._rules[rules] == sum(self._rules.values())

    def first_seen_at(self) -> int:
        """When the first was put in. There is one."""
        self._look()
        return self._first or 0

    def last_seen_at(self) -> int:
        """The last event of any. There is one."""
        self._look()
        return self._last or 0

    def _look(self) -> None:
        if self._first is None or self._last is None:
            self._first = min(fact[_JOINED] for fact in self._facts())
            self._last = max(fact[_LAST] for fact in self._facts())

    def _facts(self) -> Iterator[Fact]:
        return (fact for told in self._told.values() for fact in told)

"""Stage `names`: whether the previousId of an alias is a user, and when that user was last seen.

Every event with a user id is told here, but only what aliases ask about goes on: to the registry.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from transforms.stream.cell import FactCell, Target, difference
from transforms.stream.facts import Message
from transforms.stream.stages import REGISTRY, THE_REGISTRY

_ASKED = ("asked",)


class NameCell(FactCell):
    """Facts: ("seen", timestamp) per event, ("asked",) per alias."""

    def handle(self, messages: Sequence[Message]) -> list[Message]:
        before = self._known()
        self.take(messages)
        return difference(before, self._known(), messages[-1].why)

    def _known(self) -> Counter[Target]:
        if self.facts.count(_ASKED) <= 0:
            return Counter()
        last = max((fact[1] for fact in self.facts.of("seen")), default=None)
        return Counter() if last is None else Counter([(REGISTRY, THE_REGISTRY, ("name", self.key, last))])

"""Stage `names`: whether the previousId of an alias is a user, and when that user was last seen.

Every event with a user id is told here, but only what aliases ask about goes on: to the registry. Of the times of a
user's events the latest are kept, each for itself, since the event may be taken back; of the rest, the last of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from transforms.state.cell import FactCell, Target, difference
from transforms.state.facts import Message
from transforms.stream.stages import REGISTRY, THE_REGISTRY

_ASKED = ("asked",)
_MOST_TIMES = 128
"""How many times are kept at the most; then the older half gives way to the last of them."""


class NameCell(FactCell):
    """Facts: ("seen", timestamp) per event, ("asked",) per alias, ("before", timestamp): all up to it are not kept."""

    def handle(self, messages: Sequence[Message]) -> list[Message]:
        before = self._known()
        floor = self._floor()
        self.take([one for one in messages if one.fact[0] != "seen" or floor is None or one.fact[1] > floor])
        self._condense()
        return difference(before, self._known(), messages[-1].why)

    def _floor(self) -> int | None:
        return max((fact[1] for fact in self.facts.of("before")), default=None)

    def _condense(self) -> None:
        seen = sorted(self.facts.of("seen"))
        if len(seen) <= _MOST_TIMES:
            return
        old = seen[: len(seen) // 2]
        for fact in (*old, *self.facts.of("before")):
            self.facts.forget(fact)
        self.facts.take(("before", old[-1][1]), 1)

    def _known(self) -> Counter[Target]:
        if self.facts.count(_ASKED) <= 0:
            return Counter()
        times = [fact[1] for kind in ("seen", "before") for fact in self.facts.of(kind)]
        return Counter([(REGISTRY, THE_REGISTRY, ("name", self.key, max(times)))]) if times else Counter()

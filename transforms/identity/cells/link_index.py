"""Stage `links`: which devices were ever linked to a user, so that the user's erasures reach them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from transforms.state.cell import FactCell, Target, difference
from transforms.state.facts import DELETED, Message
from transforms.stream.stages import DEVICES


class LinkIndexCell(FactCell):
    """Facts: ("linked", device) per link, ("erased", instant, message id, ...) of the user's profile."""

    def handle(self, messages: Sequence[Message]) -> list[Message]:
        before = self._told()
        self.take(messages)
        return difference(before, self._told(), DELETED)

    def _told(self) -> Counter[Target]:
        erased = self.facts.of("erased")
        if not erased:
            return Counter()
        return Counter(
            (DEVICES, device, ("erased", self.key, *fact[1:]))
            for _, device in self.facts.of("linked")
            for fact in erased
        )

"""Stage `users`: one user id, its events, and the profile that they belong to: its own or that of its root.

Anonymous events arrive here when a device has decided that they are the user's; it has decided about their erasure.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from schemas.event import TIMESTAMP, USER_ID
from schemas.instants import EARLIEST_US
from transforms.identity.cells.owners import Context, Decision, Erasures, OwnerCell, as_erasures, by_length, erased_by
from transforms.state.cell import Target
from transforms.state.facts import EVENT, Fact, user_version
from transforms.stream.stages import NAMED, PROFILES, RECEIPTS, failure_erased


class _Basis(NamedTuple):
    root: str
    erasures: Erasures


class UserCell(OwnerCell[_Basis]):
    """Facts: events, ("root", user), ("erased", instant, message id, ...), ("absorbs", anonymous profile).

    And ("named", failure, instant or None) of records that failed and name the user.
    """

    def make_context(self) -> Context[_Basis]:
        roots = self.facts.of("root")
        root = f"user:{max(roots)[1] if roots else self.key}"
        erased = self.facts.of("erased")
        told: Counter[Target] = Counter(
            (PROFILES, profile, ("merged", root)) for _, profile in self.facts.of("absorbs")
        )
        if erased and self.left_behind() and self.horizon is not None and not self.horizon.archive:
            # The events that are gone cannot be taken back one by one.
            told[PROFILES, root, ("erased", max(erased, key=by_length)[-2])] += 1
        if roots:
            told[PROFILES, f"user:{self.key}", ("merged", root)] += 1
        erasures = as_erasures(max(erased, key=by_length)[1:]) if erased else ()
        for fact in self.facts.of(NAMED) if erasures else ():
            if erased_by(erasures, EARLIEST_US if fact[2] is None else fact[2]) is not None:
                told[failure_erased(fact, erasures[-1][0])] += 1
        return Context(_Basis(root, erasures), told)

    def decide(self, context: Context[_Basis], fact: Fact) -> Decision:
        root, erasures = context.basis
        if erasures and fact[1 + USER_ID] is not None:
            deletion = erased_by(erasures, fact[1 + TIMESTAMP])
            if deletion is not None:
                return Decision((RECEIPTS, deletion, ("erased", "events")), "")
        return Decision((PROFILES, root, fact), root)

    def only_owner(self, context: Context[_Basis]) -> str | None:
        root, erasures = context.basis
        return None if erasures else root

    def concerns_past(self, fact: Fact, until: int) -> bool:
        return bool(fact[1 + TIMESTAMP] <= until) if fact[0] == EVENT else fact[0] not in ("absorbs", NAMED)

    def deletions(self) -> dict[str, int]:
        return {name: at for at, name in self.context().basis.erasures}

    def version_of(self, before: int) -> int:
        return user_version(before, self.counter)

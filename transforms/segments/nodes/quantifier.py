"""ANY and ALL: whether a rule holds for at least one, or for every one, of an account's users.

The node asks nobody: it is told, by events of type `member`, what the rule has come to for a user. Such an event
without an id is an answer; one with an id stands for an event of a user that the rule mentions, and changes nothing.
The cell leads from a user's profile id to (whether it holds, the events that make it so).
"""

from __future__ import annotations

import hashlib
from collections.abc import Container
from typing import Any

from transforms.segments.language import ast
from transforms.segments.nodes.node import Node, Witness
from transforms.segments.nodes.state import EventView, State

Answer = tuple[bool, tuple[tuple[int, str], ...]]
"""Whether a rule holds for a user, and by which events, as (timestamp, message id)."""
_LEAST_OVERLAY = 64


def quantifier_name(rule: ast.Condition) -> str:
    """What a rule inside ANY or ALL is called: the same wherever it is written, in every release."""
    return hashlib.blake2b(repr(rule).encode(), digest_size=8).hexdigest()


class QuantifierNode(Node):
    """`every`: ALL, which holds if there is a user and none for whom the rule does not."""

    default = False

    def __init__(self, every: bool) -> None:
        super().__init__()
        self.every = every

    def absorb(self, state: State, view: EventView, role: int) -> bool:
        if view.message_id:
            return False
        told = view.properties
        users: Users = state.cells.setdefault(self.id, Users())
        if "shift" in told:
            users.holding += told["shift"]
        else:
            users.tell(told["user"], (told["holds"], tuple((at, message_id) for at, message_id in told["witness"])))
        # Readers see the account as it is once all of this instant is told.
        return self._count(state, users)

    def _count(self, state: State, users: Users) -> bool:
        return self.set(state, 0 < users.holding == len(users) if self.every else users.holding > 0)

    def forget(self, state: State, users: Container[str]) -> None:
        """Forgets what was told of these users."""
        known: Users | None = state.cells.get(self.id)
        if known is not None:
            told = {user: answer for user, answer in known.told().items() if user not in users}
            state.cells[self.id] = kept = Users(told)
            self._count(state, kept)

    def witness(self, state: State, now: int) -> Witness:
        users: Users | None = state.cells.get(self.id)
        if users is None:
            return set()
        value = bool(self.value(state))
        decisive = (witness for holds, witness in users.told().values() if self.every is value or holds is value)
        return {event for witness in decisive for event in witness}

    def fork(self, cell: Users) -> Users:
        return cell.fork()

    def pack(self, cell: Users) -> Any:
        return [(user, holds, witness) for user, (holds, witness) in cell.told().items()]

    def unpack(self, packed: Any) -> Users:
        return Users(
            {user: (holds, tuple((at, message_id) for at, message_id in witness)) for user, holds, witness in packed}
        )


class Users:
    """What is known of an account's users, and for how many of them the rule holds.

    An account may have a hundred thousand, and is forked at every look ahead: so forks share the most of it, which
    nobody changes, and have what has been told since for themselves.
    """

    __slots__ = ("_base", "_count", "_since", "holding")

    def __init__(self, told: dict[str, Answer] | None = None) -> None:
        self._base: dict[str, Answer] = told or {}
        self._since: dict[str, Answer] = {}
        self._count = len(self._base)
        self.holding = sum(holds for holds, _ in self._base.values())

    def __len__(self) -> int:
        return self._count

    def tell(self, user: str, answer: Answer) -> None:
        """Replaces what was known of a user."""
        before = self._since.get(user) or self._base.get(user)
        self.holding += answer[0] - (before is not None and before[0])
        self._count += before is None
        self._since[user] = answer

    def told(self) -> dict[str, Answer]:
        """What is known of each user."""
        return self._base | self._since

    def fork(self) -> Users:
        if len(self._since) > max(_LEAST_OVERLAY, len(self._base) // 16):
            self._base, self._since = self.told(), {}
        copy = Users.__new__(Users)
        copy._base, copy._since = self._base, self._since.copy()
        copy._count, copy.holding = self._count, self.holding
        return copy

"""ANY and ALL: whether a rule holds for at least one, or for every one, of an account's users.

The node asks nobody: it is told, by events of type `member`, what the rule came to for a user and when that changed.
The cell leads from a user's profile id to (whether it holds, the events that make it so).
"""

from __future__ import annotations

from typing import Any

from transforms.segments.language import ast
from transforms.segments.nodes.node import Node, Witness
from transforms.segments.nodes.state import EventView, State


def quantifier_name(rule: ast.Condition) -> str:
    """What a rule inside ANY or ALL is called: the same wherever it is written."""
    return repr(rule)


class QuantifierNode(Node):
    """`every`: ALL, which holds if there is a user and none for whom the rule does not."""

    default = False

    def __init__(self, every: bool) -> None:
        super().__init__()
        self.every = every

    def absorb(self, state: State, view: EventView, role: int) -> bool:
        told = view.properties
        users = state.cells.setdefault(self.id, Users())
        users.tell(told["user"], told["holds"], tuple((at, message_id) for at, message_id in told["witness"]))
        # Readers see the account as it is once all of this instant is told.
        return self.set(state, users.holding == len(users.told) if self.every else users.holding > 0)

    def witness(self, state: State, now: int) -> Witness:
        users: Users | None = state.cells.get(self.id)
        if users is None:
            return set()
        value = bool(self.value(state))
        decisive = (witness for holds, witness in users.told.values() if self.every is value or holds is value)
        return {event for witness in decisive for event in witness}

    def fork(self, cell: Users) -> Users:
        return cell.fork()

    def pack(self, cell: Users) -> Any:
        return [(user, holds, witness) for user, (holds, witness) in cell.told.items()]

    def unpack(self, packed: Any) -> Users:
        users = Users()
        for user, holds, witness in packed:
            users.tell(user, holds, tuple((at, message_id) for at, message_id in witness))
        return users


class Users:
    """What is known of an account's users, and for how many of them the rule holds."""

    __slots__ = ("holding", "told")

    def __init__(self) -> None:
        self.told: dict[str, tuple[bool, tuple[tuple[int, str], ...]]] = {}
        self.holding = 0

    def tell(self, user: str, holds: bool, witness: tuple[tuple[int, str], ...]) -> None:
        """Replaces what was known of a user."""
        before = self.told.get(user)
        self.holding += holds - (before is not None and before[0])
        self.told[user] = (holds, witness)

    def fork(self) -> Users:
        copy = Users()
        copy.told, copy.holding = self.told.copy(), self.holding
        return copy

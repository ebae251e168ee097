"""The nodes of a compiled program: small machines that keep one value per profile up to date.

Nodes are numbered so that whatever a node reads has a smaller number; a change therefore travels upwards once per
instant. A node keeps nothing of its own: its value and cell are in the profile's `State`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

from transforms.profiles.normalize.traits import column_written, normalize_column
from transforms.segments.accumulators.accumulator import Entry
from transforms.segments.comparisons import NEVER, Timeless
from transforms.segments.language import ast
from transforms.segments.language.columns import COLUMNS
from transforms.segments.language.kinds import Type
from transforms.segments.nodes.state import EventView, State
from transforms.segments.operators import EQUALITIES, LOWER_BOUNDS, UPPER_BOUNDS
from transforms.segments.reducers import REDUCERS
from transforms.segments.values import as_instant, is_many, trait_fields, trait_value

Witness = set[tuple[int, str]]
"""Events as (timestamp, message_id)."""
Ahead = Iterable[tuple[int, Any]]
"""What time alone will make of a value: (instant, value from then on), in order; of one instant the last stands."""
NOTHING_AHEAD: Final[tuple[tuple[int, Any], ...]] = ()
"""The only one that is empty: of a value that time alone does not change."""


class Node:
    """One value per profile: `default` until something happens.

    `id` is the node's place in its program, `name` what it is called in every program that has a node of this meaning.
    """

    default: Any = None

    def __init__(self) -> None:
        self.id = -1
        self.name = b""
        self.dependents: list[int] = []

    def value(self, state: State) -> Any:
        return state.values.get(self.id, self.default)

    def read(self, state: State, now: int, *, again: bool = False) -> Any:
        """The value at `now`, for nodes that nobody watches: they are not kept up to date by timers.

        Args:
            state: the profile's.
            now: not before any earlier call's.
            again: whether it will be asked for again as time goes on.
        """
        return self.value(state)

    def set(self, state: State, value: Any) -> bool:
        """Stores the value; True if it changed."""
        old = state.values.get(self.id, self.default)
        # Python holds 1 and True equal, JSON does not; lists and objects count as changed unless they are the same.
        if value is old or (type(value) is type(old) and type(value) not in (list, dict) and value == old):
            return False
        state.values[self.id] = value
        return True

    def absorb(self, state: State, view: EventView, role: int) -> bool:
        """Takes in an event that is routed to the node; True if the value changed or `update` must run."""
        raise TypeError(f"{type(self).__name__} takes no events")

    def fire(self, state: State, now: int) -> bool:
        """The timer is due; True if the value changed."""
        return self.update(state, now)

    def update(self, state: State, now: int) -> bool:
        """An input changed; True if the value changed."""
        return False

    def witness(self, state: State, now: int) -> Witness:
        """The events that the present value comes from."""
        return set()

    def ahead(self, state: State, now: int) -> Ahead | None:
        """What will become of the value if no event comes; None: only letting time pass, in a fork, can tell.

        The state is up to date at `now`, and is not changed.
        """
        return None

    def fork(self, cell: Any) -> Any:
        """A copy of the node's cell that shares only what is never changed in place."""
        raise TypeError(f"{type(self).__name__} keeps no cell")

    def pack(self, cell: Any) -> Any:
        """The node's cell as plain values (packing.py). Part of the layout of profiles that are running."""
        raise TypeError(f"{type(self).__name__} keeps no cell")

    def unpack(self, packed: Any) -> Any:
        """The cell that `pack` was given; tuples come as lists."""
        raise TypeError(f"{type(self).__name__} keeps no cell")


class Constant(Node):
    """A literal."""

    def __init__(self, value: Any) -> None:
        super().__init__()
        self.default = value

    def ahead(self, state: State, now: int) -> Ahead | None:
        return NOTHING_AHEAD


class TraitNode(Node):
    """`trait('path')`."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path
        self.fields = trait_fields(path)
        self.default = [] if is_many(path) else None

    def update(self, state: State, now: int) -> bool:
        value = trait_value(state.traits, self.path)
        return self.set(state, self.default if value is None else value)

    def witness(self, state: State, now: int) -> Witness:
        field = next((name for name in self.fields if name in state.traits), None)
        if field is not None:
            return {state.writes[field][1:]}
        return {state.writes[name][1:] for name in self.fields if name in state.writes}

    def ahead(self, state: State, now: int) -> Ahead | None:
        return NOTHING_AHEAD


class ColumnNode(Node):
    """`profile('NAME')`: a typed column; instants in microseconds."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.column = name
        self.is_date = COLUMNS[name] is Type.INSTANT

    def update(self, state: State, now: int) -> bool:
        device = None if state.device is None else state.device.value
        value = normalize_column(self.column, state.writes, device)
        if value == []:
            return self.set(state, None)
        return self.set(state, as_instant(value) if self.is_date and type(value) is str else value)

    def witness(self, state: State, now: int) -> Witness:
        written = column_written(self.column, state.writes, state.device)
        return set() if written is None else {written}

    def ahead(self, state: State, now: int) -> Ahead | None:
        return NOTHING_AHEAD


class PercentNode(Node):
    """`percent('salt')`: fixed for a profile, set when it starts."""

    def __init__(self, salt: str, bucket: Callable[[str, str], int]) -> None:
        super().__init__()
        self.salt = salt
        self.bucket = bucket

    def update(self, state: State, now: int) -> bool:
        return self.set(state, self.bucket(self.salt, state.profile_id))

    def ahead(self, state: State, now: int) -> Ahead | None:
        return NOTHING_AHEAD


class CompareNode(Node):
    """A comparison of other nodes' values, relative dates apart."""

    def __init__(self, comparison: ast.Compare, test: Timeless, left: Node, arguments: Sequence[Node]) -> None:
        super().__init__()
        self.comparison = comparison
        self.test = test
        self.left = left
        self.arguments = tuple(arguments)
        self.default = test(left.default, [node.default for node in arguments])

    def update(self, state: State, now: int) -> bool:
        values = state.values
        left = values.get(self.left.id, self.left.default)
        return self.set(state, self.test(left, [values.get(node.id, node.default) for node in self.arguments]))

    def witness(self, state: State, now: int) -> Witness:
        left = set() if bounds_from_above(self.comparison, self.value(state)) else self.left.witness(state, now)
        return left.union(*(node.witness(state, now) for node in self.arguments))

    def ahead(self, state: State, now: int) -> Ahead | None:
        if any(node.ahead(state, now) != NOTHING_AHEAD for node in self.arguments):
            return None
        found = self.left.ahead(state, now)
        return found if found is None or found == NOTHING_AHEAD else self._changes(state, found)

    def _changes(self, state: State, found: Ahead) -> Iterator[tuple[int, bool]]:
        before, others = self.value(state), [node.value(state) for node in self.arguments]
        for at, left in found:
            holds = self.test(left, others)
            if holds is not before:
                yield at, holds
            before = holds


def bounds_from_above(comparison: ast.Compare, holds: bool) -> bool:
    """Whether a comparison of a count says "no more than": then no event made it true."""
    if not (isinstance(comparison.left, ast.Reduced) and REDUCERS[comparison.left.reducer].is_count):
        return False
    operator = comparison.operator
    if operator in LOWER_BOUNDS or operator in UPPER_BOUNDS:
        return (operator in UPPER_BOUNDS) is holds
    zero = all(isinstance(argument, ast.Literal) and argument.value == 0 for argument in comparison.arguments)
    return zero and operator in EQUALITIES and EQUALITIES[operator] is not holds


class RelativeDateNode(Node):
    """A comparison with a date relative to T: changes by itself when T passes the date's bounds."""

    default = False

    def __init__(self, left: Node, test: Callable[[Any, int], tuple[bool, int]]) -> None:
        super().__init__()
        self.left = left
        self.test = test

    def update(self, state: State, now: int) -> bool:
        holds, until = self.test(self.left.value(state), now)
        state.wake(self.id, None if until == NEVER else until)
        return self.set(state, holds)

    def witness(self, state: State, now: int) -> Witness:
        return self.left.witness(state, now)

    def ahead(self, state: State, now: int) -> Ahead | None:
        if self.left.ahead(state, now) != NOTHING_AHEAD:
            return None
        due = state.due.get(self.id)
        return NOTHING_AHEAD if due is None else self._changes(self.left.value(state), due)

    def _changes(self, left: Any, due: int) -> Iterator[tuple[int, bool]]:
        while due != NEVER:
            holds, until = self.test(left, due)
            yield due, holds
            due = until


class HeldNode(Node):
    """`held_for(d)`: the cell is the instant at which the comparison last became true."""

    default = False

    def __init__(self, comparison: Node, duration: int) -> None:
        super().__init__()
        self.comparison = comparison
        self.duration = duration

    def update(self, state: State, now: int) -> bool:
        if not self.comparison.value(state):
            state.cells.pop(self.id, None)
            state.wake(self.id, None)
            return self.set(state, False)
        due = state.cells.setdefault(self.id, now) + self.duration
        state.wake(self.id, due if due > now else None)
        return self.set(state, due <= now)

    def witness(self, state: State, now: int) -> Witness:
        return self.comparison.witness(state, now)

    def ahead(self, state: State, now: int) -> Ahead | None:
        if self.comparison.ahead(state, now) != NOTHING_AHEAD:
            return None
        due = state.due.get(self.id)
        return NOTHING_AHEAD if due is None else ((due, True),)

    def fork(self, cell: Any) -> Any:
        return cell

    def pack(self, cell: Any) -> Any:
        return cell

    def unpack(self, packed: Any) -> Any:
        return packed


def as_witness(entries: Sequence[Entry]) -> Witness:
    return {(entry[0], entry[1]) for entry in entries}

"""Reads many messages at once: those that are plainly good events become columns, without an object for each.

What is not plainly good is left to `EventParser.parse`, which says what is wrong with it, or that nothing is. With the
same results it takes five times as long; it is all there is where _plain_events.c was not compiled, or
TIDEMARK_PYTHON_ONLY is set.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa

from schemas.event import Failure
from schemas.instants import DAY_US, EARLIEST_US, LATEST_US, parse_instant_us
from schemas.tracking_plan import TrackingPlan
from transforms.columns.events import EVENTS, TEXT
from transforms.parse.lines import Lines
from transforms.parse.plan_nodes import Node, NodeMaker

Reader: Any
try:
    from transforms.parse._plain_events import Reader as _Reader
    from transforms.parse._plain_events import lines_at as _lines_at
except ImportError:  # no compiler where this was installed
    Reader = None
else:
    Reader = _Reader

PYTHON_ONLY: Final = "TIDEMARK_PYTHON_ONLY"
"""The variable of the environment by which every event is read by EventParser."""
_TYPES: Final = ("track", "identify", "page", "screen", "group")
"""In the order of _plain_events.c."""
_NUMBER: Final = pa.int64()


class PlainColumns(NamedTuple):
    """Events as columns; the number of each among what was read; how many there are of each name without a schema."""

    events: pa.RecordBatch
    numbers: np.ndarray
    unplanned: Mapping[str, int]


class PlainSettings:
    """What a plain event is, by the settings of a parser. `reader` gives what reads them; None where nothing can."""

    def __init__(
        self, plan: TrackingPlan, blocked_identifiers: frozenset[str], *, refuses_unplanned: bool, max_event_bytes: int
    ) -> None:
        maker = NodeMaker(plan.resources, plan.registry())
        numbered = _Numbered()
        of_type = tuple(numbered.number_of(maker.node_of(plan.message_schema(name, None))) for name in _TYPES)
        planned = [
            (name.encode(), numbered.number_of(maker.node_of(plan.message_schema("track", name))), False)
            for name in sorted(plan.event_names())
        ]
        blocked = tuple(sorted({value.strip().lower().encode() for value in blocked_identifiers}))
        limits = (parse_instant_us, max_event_bytes, EARLIEST_US, LATEST_US, DAY_US)
        self._arguments = (numbered.nodes, of_type, planned, refuses_unplanned, blocked, *limits)
        self._idle: list[PlainReader] = []

    def reader(self) -> PlainReader:
        """A reader of the caller's own."""
        return self._idle.pop() if self._idle else PlainReader(Reader(*self._arguments))

    def give_back(self, reader: PlainReader) -> None:
        """Takes one that holds nothing, for the next: it knows how much memory its columns take."""
        self._idle.append(reader)


def picked(group: Sequence[bytes | Failure], numbers: np.ndarray) -> tuple[int, Sequence[bytes | Failure]]:
    """How many lines or messages there are, and those of some numbers, sorted; lines are not cut apart for it."""
    if isinstance(group, Lines) and is_compiled():
        found: tuple[int, list[bytes]] = _lines_at(group.data, np.ascontiguousarray(numbers, np.int64))
        return found
    count = len(group)
    return count, [group[number] for number in numbers[: numbers.searchsorted(count)].tolist()]


def is_compiled() -> bool:
    """Whether plain events can be read at once, and nobody has said that they are not to be."""
    return Reader is not None and not os.environ.get(PYTHON_ONLY)


class PlainReader:
    """Reads plain events until they are taken. One thread's."""

    def __init__(self, reader: Any) -> None:
        self._reader = reader

    @property
    def held_bytes(self) -> int:
        """The bytes of the messages that are held as columns."""
        held: int = self._reader.held_bytes
        return held

    def read(self, messages: Sequence[bytes | Failure], first: int) -> tuple[int, list[tuple[int, bytes | Failure]]]:
        """Takes the plain ones among some messages, or among lines, which are not cut apart for it.

        Args:
            messages: some of those that were read.
            first: the number of the first one.

        Returns:
            How many there are, and those that were not taken, each with its number among them.
        """
        found: tuple[int, list[tuple[int, bytes | Failure]]]
        if isinstance(messages, Lines):
            found = self._reader.read_lines(messages.data, first)
        else:
            found = len(messages), self._reader.read(messages, first)
        return found

    def take(self) -> PlainColumns:
        """What was read since the last time."""
        rows, (places, timestamps, received, is_received, *texts), unplanned = self._reader.take()
        message_id, type_, name, user_id, anonymous_id, group_id, properties, traits, context = (
            _text(rows, *column) for column in texts
        )
        columns = {
            "message_id": message_id,
            "timestamp": pa.Array.from_buffers(_NUMBER, rows, [None, pa.py_buffer(timestamps)]),
            "type": type_,
            "name": name,
            "user_id": user_id,
            "anonymous_id": anonymous_id,
            "previous_id": pa.nulls(rows, TEXT),
            "group_id": group_id,
            "received_at": pa.Array.from_buffers(_NUMBER, rows, [_bits(is_received), pa.py_buffer(received)]),
            "properties": properties,
            "traits": traits,
            "context": context,
        }
        events = pa.RecordBatch.from_arrays([columns[name] for name in EVENTS.names], schema=EVENTS)
        return PlainColumns(events, np.frombuffer(places, np.int64), unplanned)


def _text(rows: int, offsets: bytes, data: bytes, is_valid: bytes, null_count: int) -> pa.Array:
    valid = _bits(is_valid) if null_count else None
    return pa.Array.from_buffers(TEXT, rows, [valid, pa.py_buffer(offsets), pa.py_buffer(data)], null_count)


def _bits(each: bytes) -> pa.Buffer:
    """A bit for each byte that is 0 or 1."""
    return pa.py_buffer(np.packbits(np.frombuffer(each, np.uint8), bitorder="little"))


class _Numbered:
    """Nodes as the compiled reader takes them: in a list, naming each other by their places; the first is any value."""

    def __init__(self) -> None:
        self.nodes: list[tuple[int, bool, int, Any, Sequence[tuple[bytes, int, bool]]]] = [(0, False, 0, None, [])]
        self._known: dict[int, tuple[int, Node]] = {}

    def number_of(self, node: Node | None) -> int:
        if node is None:
            return 0
        if id(node) not in self._known:
            members = [
                (name.encode(), self.number_of(member), is_required)
                for name, (member, is_required) in sorted(node.members.items())
            ]
            self.nodes.append((node.kinds, node.nonempty, self.number_of(node.items), node.ask, members))
            self._known[id(node)] = len(self.nodes) - 1, node
        return self._known[id(node)][0]

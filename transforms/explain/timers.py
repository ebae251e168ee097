"""How many timers a profile needs that follows a rule: how many of the stream's nodes wait for an instant. Pure.

That is a fact about nodes, not about histories, so columns do not know it. Profiles are stepped through the nodes of
this one rule, those first that may need the most; once none of the others can need more, nobody looks at them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from transforms.explain.question import Rule
from transforms.records import Record
from transforms.segments.comparisons import NEVER
from transforms.segments.compiler import compile_program
from transforms.segments.history import Histories, Integers
from transforms.segments.membership import SegmentNode
from transforms.segments.nodes.node import HeldNode, Node, RelativeDateNode
from transforms.segments.nodes.state import State
from transforms.segments.nodes.streams import StreamNode, ThresholdNode
from transforms.segments.replay import run


class Timers:
    """Of one rule, compiled, at `as_of`."""

    def __init__(self, rule: Rule, as_of: int) -> None:
        self._program = compile_program(rule.needed)
        self._reads = self._program.reads[rule.segment.name]
        self._as_of = as_of
        self._always = sum(_waits_by_itself(self._program.nodes[number]) for number in self._reads)

    def most(
        self,
        histories: Histories,
        pairs: Mapping[tuple[str, str], Integers],
        events_of: Callable[[int], Sequence[Record]],
        at_least: int,
    ) -> int:
        """The most timers of any profile.

        Args:
            histories: of the profiles.
            pairs: rows by type and name.
            events_of: a profile's events (by its place) that concern the rule, and its first.
            at_least: how many some other profile is known to have.
        """
        bounds = self._bounds(histories, pairs)
        last = histories.timestamp[histories.profile.searchsorted(np.arange(len(bounds)), side="right") - 1]
        most = at_least
        for profile in np.lexsort((-last, -bounds)).tolist():
            if bounds[profile] <= most:
                break
            most = max(most, self._timers(histories.profile_ids[profile], events_of(profile)))
        return most

    def _bounds(self, histories: Histories, pairs: Mapping[tuple[str, str], Integers]) -> Integers:
        """How many timers each profile can have: one for each node that has an event which may still matter."""
        found = np.full(len(histories.profile_ids), self._always, np.int64)
        fed: dict[Node, list[Integers]] = {}
        for pair, rows in pairs.items():
            for node in {node for node, _ in self._program.route(*pair)}:
                fed.setdefault(node, []).append(rows)
        for node, rows_of_node in fed.items():
            rows = np.concatenate(rows_of_node)
            rows = rows[histories.timestamp[rows] > self._as_of - _matters_for(node)]
            found[np.unique(histories.profile[rows])] += 1
        return found

    def _timers(self, profile_id: str, events: Sequence[Record]) -> int:
        state = State(profile_id)
        run(self._program, state, events, self._as_of)
        return sum(node in self._reads for node in state.due)


def _waits_by_itself(node: Node) -> bool:
    """Whether it may wait though no event of its own is recent."""
    if isinstance(node, SegmentNode):
        limits = (node.definition.expires, node.definition.max_membership, node.definition.reentry_after)
        return any(limit is not None for limit in limits)
    return isinstance(node, HeldNode | RelativeDateNode)


def _matters_for(node: Node) -> int:
    """How long after an event the node may wait for something because of it, microseconds."""
    if isinstance(node, StreamNode | ThresholdNode):
        selection = node.selection
        return selection.start if selection.end == NEVER else selection.end
    return NEVER

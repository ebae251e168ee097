"""The events without which a membership would not hold: as few as there can be, each of them needed.

`message_ids` of a membership are all events that contributed when it began. Here the question is another one: of what
is there now, what can be left out? What remains is enough, and without any one of it the membership would not hold.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from schemas.event import MESSAGE_ID
from transforms.records import Record
from transforms.segments.compiler import compile_program
from transforms.segments.language import ast
from transforms.segments.language.resolve import needed_definitions
from transforms.segments.membership import SegmentNode
from transforms.segments.nodes.state import EventView, State
from transforms.segments.replay import run


class Reason(NamedTuple):
    """Why a profile is a member at an instant.

    Attributes:
        events: the fewest that are enough, in order.
        spare: message ids, in order, of others that would do in their place. Without the spare ones the membership
            still holds; without them and any one of `events` it does not.
    """

    events: list[Record]
    spare: list[str]


class Reasons:
    """Reasons for the memberships of one segment. `definitions` hold all that it refers to."""

    def __init__(self, segment: ast.SegmentDefinition, definitions: ast.Definitions) -> None:
        needed = needed_definitions(definitions, frozenset({segment.name}))
        self._program = compile_program(needed)
        self._name = segment.name
        self._node: SegmentNode = next(node for node in self._program.segments if node.definition.name == segment.name)

    def why(self, profile_id: str, events: Sequence[Record], instant: int) -> Reason | None:
        """Why the profile is a member at the instant; None where it is not. `events` up to it, in order."""
        state = self._state(profile_id, events, instant)
        entry = next((change for change in reversed(state.changes) if change.segment == self._name), None)
        if entry is None or not entry.entered:
            return None
        concerned = [event for event in events if self._concerns(event)]
        # What made the membership begin is what one would name first, so that is tried last.
        named = set(entry.message_ids)
        candidates = [event[MESSAGE_ID] for event in concerned if event[MESSAGE_ID] not in named]
        candidates += [event[MESSAGE_ID] for event in reversed(concerned) if event[MESSAGE_ID] in named]
        everything = frozenset(candidates)
        # Of what the rule does not read only the first event matters: with it the profile begins.
        start = next((event for event in events if event[MESSAGE_ID] not in everything), None)
        relevant = [event for event in events if event is start or event[MESSAGE_ID] in everything]

        def holds(kept: Sequence[str]) -> bool:
            wanted = frozenset(kept)
            history = [event for event in relevant if event is start or event[MESSAGE_ID] in wanted]
            return self._is_member(profile_id, history, instant)

        needed = fewest(candidates, holds)
        spare = {message_id for _, message_id in self._node.explain(state, instant)}.difference(needed)
        others = everything - spare
        if not holds(list(others)) or any(holds(list(others - {message_id})) for message_id in needed):
            # What does not count now can begin to count when another event is gone.
            spare = set(everything.difference(needed))
        return Reason(
            [event for event in concerned if event[MESSAGE_ID] in needed],
            [event[MESSAGE_ID] for event in concerned if event[MESSAGE_ID] in spare],
        )

    def _concerns(self, event: Record) -> bool:
        return self._node.mentions.concerns(EventView(event))

    def _state(self, profile_id: str, events: Sequence[Record], instant: int) -> State:
        state = State(profile_id)
        run(self._program, state, events, instant)
        return state

    def _is_member(self, profile_id: str, events: Sequence[Record], instant: int) -> bool:
        changes = self._state(profile_id, events, instant).changes
        last = next((change for change in reversed(changes) if change.segment == self._name), None)
        return last is not None and last.entered


def fewest(candidates: Sequence[str], holds: Callable[[Sequence[str]], bool]) -> list[str]:
    """Some of the candidates for which `holds` is true, and is not once any one of them is taken away.

    `holds(candidates)` is true. Earlier candidates are taken away first; large pieces before small ones, so that one
    needed event of thousands is found in some dozens of attempts.
    """
    kept, size = list(candidates), len(candidates)
    while size:
        place, removed = 0, False
        while place < len(kept):
            trial = kept[:place] + kept[place + size :]
            if holds(trial):
                kept, removed = trial, True
            else:
                place += size
        # Taking one away can make another superfluous, so the last round is one in which nothing was.
        size = min(size // 2, len(kept)) or (1 if removed and kept else 0)
    return kept

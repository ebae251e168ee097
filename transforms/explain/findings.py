"""A rule taken apart: which part of it holds for a profile at an instant, on what values, and until when.

Each part becomes a segment of its own, each value a computed trait, in a program of the same engine: so what is said of
a part is what the main job would say of a segment that consisted of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from schemas.event import TIMESTAMP
from transforms.accounts.ahead import Turn, crossings
from transforms.explain.ahead import next_changes
from transforms.explain.words import condition_words, stream_words, subject_words, value_words, wish_words
from transforms.records import Record
from transforms.segments.compiler import compile_account_rules, compile_program
from transforms.segments.language import ast
from transforms.segments.language.format import format_condition, stream_name
from transforms.segments.nodes.quantifier import Users, quantifier_name
from transforms.segments.nodes.state import MEMBER, State
from transforms.segments.program import Program
from transforms.segments.replay import computed_traits, run

_WHOLE = "\0rule"
Comparison = ast.Compare | ast.HeldFor


def program_of(definitions: ast.Definitions, segment: ast.SegmentDefinition) -> Program:
    """Definitions as the segment's members, people or accounts, are evaluated by them."""
    return compile_program(definitions) if segment.of == "users" else compile_account_rules(definitions)


@dataclass(frozen=True, slots=True)
class Part:
    """A comparison, and whether the rule wants it to hold (under NOT it does not). `name`: of its own segment."""

    name: str
    condition: Comparison | ast.Quantified
    wanted: bool


@dataclass(frozen=True, slots=True)
class Group:
    """Parts of which all or any must be as wanted."""

    kind: Literal["all", "any"]
    items: tuple[Part | Group, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """What is true of a part at an instant.

    Attributes:
        rule: the part, as the language writes it.
        fulfilled: whether it is as the rule wants it.
        what: the value that is compared, in words; `value`: what it is; `wish`: what it should be, in words.
        changes_at: when time alone changes whether it is fulfilled, microseconds; None: never, or not looked for.
        steps: for a stream that came out empty: how many events each of its filters leaves, in words.
    """

    rule: str
    fulfilled: bool
    what: str
    value: Any
    wish: str
    changes_at: int | None
    steps: tuple[tuple[str, int], ...] = ()

    def words(self) -> str:
        """`number of 'Order Completed' in the last 30 days: 2 (wanted: at least 1)`."""
        return f"{self.what}: {value_words(self.value)} (wanted: {self.wish})"


@dataclass(frozen=True, slots=True)
class FindingGroup:
    """Findings of which all or any must be fulfilled."""

    kind: Literal["all", "any"]
    fulfilled: bool
    items: tuple[Finding | FindingGroup, ...]

    def findings(self) -> Iterator[Finding]:
        """Every finding, in the order of the rule."""
        for item in self.items:
            if isinstance(item, FindingGroup):
                yield from item.findings()
            else:
                yield item

    def decisive(self) -> Iterator[Finding]:
        """The findings that make the whole fulfilled, or that keep it from being so."""
        for item in self.items:
            if item.fulfilled is self.fulfilled:
                if isinstance(item, FindingGroup):
                    yield from item.decisive()
                else:
                    yield item


class RuleParts:
    """The parts of a segment's rule, compiled. `definitions` hold all that it refers to."""

    def __init__(self, segment: ast.SegmentDefinition, definitions: ast.Definitions) -> None:
        self._parts: list[Part] = []
        self._values: dict[str, ast.Scalar] = {}
        self.tree = self._taken_apart(segment.when, wanted=True) if segment.when is not None else Group("all", ())
        named: list[tuple[str, ast.Condition]] = [(part.name, part.condition) for part in self._parts]
        named += [(_WHOLE, segment.when)] if segment.when is not None else []
        parts = [ast.SegmentDefinition(name, "", condition, of=segment.of) for name, condition in named]
        values = [ast.TraitDefinition(name, "", value, of=segment.of) for name, value in self._values.items()]
        known = ast.Definitions((*definitions.segments, *parts), (*definitions.traits, *values))
        self._program = program_of(known, segment)

    def _taken_apart(self, condition: ast.Condition, *, wanted: bool) -> Part | Group:
        if isinstance(condition, ast.Not):
            return self._taken_apart(condition.item, wanted=not wanted)
        if isinstance(condition, ast.And | ast.Or):
            every = isinstance(condition, ast.And) is wanted
            items = tuple(self._taken_apart(item, wanted=wanted) for item in condition.items)
            return Group("all" if every else "any", items)
        part = Part(f"\0part {len(self._parts)}", condition, wanted)
        self._parts.append(part)
        if isinstance(condition, ast.Quantified):
            return part
        left = _comparison(condition).left
        self._values[f"{part.name} value"] = left
        if isinstance(left, ast.Reduced):
            for number, stream in enumerate(_prefixes(left.stream)):
                self._values[f"{part.name} step {number}"] = ast.Reduced(stream, "count")
        return part

    def at(self, profile_id: str, events: Sequence[Record], instant: int, turns: Sequence[Turn] = ()) -> FindingGroup:
        """What holds at an instant, and how long it will if nothing else happens. `events` in order.

        `turns`: what time will bring to the users of an account, where it is one.
        """
        return self.at_each(profile_id, events, [instant], turns)[0]

    def at_each(
        self,
        profile_id: str,
        events: Sequence[Record],
        instants: Sequence[int],
        turns: Sequence[Turn] | None = None,
    ) -> list[FindingGroup]:
        """What holds at each of some instants, in order; with `turns` it is looked ahead from the last one."""
        state, found, place = State(profile_id), [], 0
        for number, instant in enumerate(instants, start=1):
            start = place
            while place < len(events) and events[place][TIMESTAMP] <= instant:
                place += 1
            run(self._program, state, events[start:place], instant)
            values = computed_traits(self._program, state, instant) | self._asked(state)
            members = _members(state)
            coming: dict[str, int] = {}
            if turns is not None and number == len(instants):
                names = [part.name for part in self._parts]
                changes = next_changes(self._program, state, names, crossings(self._program, state, turns))
                coming = {name: change.at for name, change in changes.items()}
            found.append(self._group(self.tree, values, members, coming))
        return found

    def _asked(self, state: State) -> dict[str, tuple[int, int]]:
        """Of ANY and ALL, for how many users the rule holds, and of how many."""
        found = {}
        for part in self._parts:
            if isinstance(part.condition, ast.Quantified):
                ((node, _), *_) = self._program.route(MEMBER, quantifier_name(part.condition.item))
                users: Users = state.cells.get(node.id, Users())
                found[part.name] = (users.holding, len(users))
        return found

    def _group(
        self, tree: Part | Group, values: dict[str, Any], members: set[str], coming: dict[str, int]
    ) -> FindingGroup:
        if isinstance(tree, Part):
            finding = self._finding(tree, values, members, coming)
            return FindingGroup("all", finding.fulfilled, (finding,))
        items = tuple(
            self._group(item, values, members, coming)
            if isinstance(item, Group)
            else self._finding(item, values, members, coming)
            for item in tree.items
        )
        decide = all if tree.kind == "all" else any
        return FindingGroup(tree.kind, decide(item.fulfilled for item in items), items)

    def _finding(self, part: Part, values: dict[str, Any], members: set[str], coming: dict[str, int]) -> Finding:
        if isinstance(part.condition, ast.Quantified):
            return _finding_of_users(part, part.condition, values[part.name], members, coming)
        comparison = _comparison(part.condition)
        fulfilled = (part.name in members) is part.wanted
        value = values[f"{part.name} value"]
        steps: tuple[tuple[str, int], ...] = ()
        if not fulfilled and isinstance(comparison.left, ast.Reduced) and value in (0, None, []):
            streams = _prefixes(comparison.left.stream)
            counts = [values[f"{part.name} step {number}"] for number in range(len(streams))]
            steps = tuple(zip(map(_last_filter, streams), counts, strict=True))
        rule = format_condition(part.condition if part.wanted else ast.Not(part.condition))
        wish = wish_words(part.condition, wanted=part.wanted)
        what = subject_words(comparison.left)
        return Finding(rule, fulfilled, what, value, wish, coming.get(part.name), steps)


def _finding_of_users(
    part: Part, asked: ast.Quantified, counts: tuple[int, int], members: set[str], coming: dict[str, int]
) -> Finding:
    """Of ANY and ALL: for how many users the rule holds."""
    holding, users = counts
    if asked.every:
        wish = f"all {users:,}" if part.wanted else f"not all {users:,}"
    else:
        wish = "at least 1" if part.wanted else "none"
    rule = format_condition(asked if part.wanted else ast.Not(asked))
    what = f"number of the {users:,} users for whom {condition_words(asked.item)}"
    return Finding(rule, (part.name in members) is part.wanted, what, holding, wish, coming.get(part.name))


def _comparison(condition: Comparison) -> ast.Compare:
    return condition.comparison if isinstance(condition, ast.HeldFor) else condition


def _prefixes(stream: ast.Stream) -> list[ast.Stream]:
    """The stream with none, one, two ... of its filters."""
    return [replace(stream, filters=stream.filters[:count]) for count in range(len(stream.filters) + 1)]


def _last_filter(stream: ast.Stream) -> str:
    """What the last filter of a stream keeps, in words."""
    if not stream.filters:
        return f"{stream_name(stream)} ever"
    return stream_words(replace(stream, filters=stream.filters[-1:])).removeprefix(f"{stream_name(stream)} ")


def _members(state: State) -> set[str]:
    members: set[str] = set()
    for change in state.changes:
        (members.add if change.entered else members.discard)(change.segment)
    return members

"""Definitions -> what is evaluated. What two rules have in common is compiled once, and so evaluated once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any

from transforms.segments.comparisons import Kind, is_relative
from transforms.segments.compiler import count_threshold, kind_of
from transforms.segments.filters import conjuncts, is_event_condition, window_of
from transforms.segments.history.caches import last_uses, parts_of
from transforms.segments.history.compare import Constant, RelativeDate, relative_date, timeless
from transforms.segments.history.conditions import Held, Junction, Negation
from transforms.segments.history.counted import FunnelScalar, FunnelThreshold
from transforms.segments.history.event_tests import compile_event_tests
from transforms.segments.history.fields import FieldName
from transforms.segments.history.funnels import UNBOUND, Funnel
from transforms.segments.history.reach import DATES_AHEAD_US, expiries_read, has_relative_dates, reach_of
from transforms.segments.history.reduced import StreamScalar
from transforms.segments.history.scope import Condition, Scalar
from transforms.segments.history.stays import Stays
from transforms.segments.history.streams import Operand, Selection, Threshold, Window
from transforms.segments.history.traits import ColumnScalar, MembershipScalar, PercentScalar, TraitScalar
from transforms.segments.history.wheres import WhereCompiler
from transforms.segments.history.world import StreamName
from transforms.segments.language import ast
from transforms.segments.language.walk import walk
from transforms.segments.mentions import Reader
from transforms.segments.values import trait_fields


class HistoryProgram:
    """What `compile_history` makes; it serves any number of buckets. Pickled, it is its definitions.

    `segments` and `computed` stand in the order of the definitions of people; `reads` are the fields of events that
    anything reads, by stream; `traits` those of traits; `done_after` what no segment after each one needs;
    `dated` the segments (by place) that dates in the data lead to.
    """

    def __init__(self, definitions: ast.Definitions) -> None:
        self.definitions = definitions
        self.segments: list[Stays] = []
        self.computed: dict[str, tuple[Scalar, bool]] = {}
        self.reads: dict[StreamName, dict[FieldName, None]] = {}
        self.traits: set[str] = set()
        self.reach = reach_of(definitions)
        self._expiries = expiries_read(definitions)
        self._has_dates = has_relative_dates(definitions)
        _Compiler(self).compile()
        # A bucket keeps what rules share, and nothing longer than the last of them needs it.
        computed = [scalar for scalar, _ in self.computed.values()]
        self.dated = frozenset(
            place
            for place, stays in enumerate(self.segments)
            if any(isinstance(part, RelativeDate) for part in parts_of(stays.condition))
        )
        self.done_after = last_uses([stays.condition for stays in self.segments], computed)

    def ahead(self, as_of: int) -> int:
        """How long after `as_of` time alone can change anything, dates in the data apart; microseconds."""
        dates = self.reach + DATES_AHEAD_US if self._has_dates else 0
        return self.reach + max([dates, *(end - as_of for end in self._expiries)])

    def __reduce__(self) -> tuple[object, tuple[ast.Definitions]]:
        return compile_history, (self.definitions,)


@lru_cache(maxsize=4)
def compile_history(definitions: ast.Definitions) -> HistoryProgram:
    """Compiles checked definitions (references resolved, what is referred to first): those of people.

    A process compiles a set once, however many buckets ask for it.
    """
    return HistoryProgram(definitions.about("users"))


class _Compiler:
    """Compiles bottom-up. Things are shared by what their syntax tree prints: trees that are equal may differ in 1
    and True.
    """

    def __init__(self, program: HistoryProgram) -> None:
        self.program = program
        self.reader = Reader(program.definitions)
        self.values = {trait.name: trait.value for trait in program.definitions.traits}
        self.stays: dict[str, Stays] = {}
        self._shared: dict[str, Any] = {}

    def compile(self) -> None:
        for definition in self.program.definitions.segments:
            when = definition.when
            named = [] if when is None else [node.name for node in self._named(when)]
            self.stays[definition.name] = Stays(
                definition,
                None if when is None else self.condition(when),
                self.reader.mentions(when),
                tuple(self.stays[name] for name in dict.fromkeys(named)),
            )
        self.program.segments = list(self.stays.values())
        for trait in self.program.definitions.traits:
            scalar, kind = self.scalar(trait.value)
            self.program.computed[trait.name] = (scalar, kind.instant)

    def _named(self, tree: ast.Condition | ast.Scalar) -> list[ast.Membership]:
        """The segments that a rule reads, itself or through computed traits."""
        found = []
        for node, _ in walk(tree):
            if isinstance(node, ast.Membership):
                found.append(node)
            elif isinstance(node, ast.ComputedTrait):
                found += self._named(self.values[node.name])
        return found

    def shared(self, key: str, make: Callable[[], Any]) -> Any:
        """What is kept under the key, made at first."""
        if key not in self._shared:
            self._shared[key] = make()
        return self._shared[key]

    def read(self, stream: ast.Stream, field: ast.Field) -> FieldName:
        """Notes that a field of the stream's events is read."""
        name: FieldName = (field.source, field.path)
        self.program.reads.setdefault((stream.type, stream.name), {})[name] = None
        return name

    # --- conditions ----------------------------------------------------------------------------------------------

    def condition(self, condition: ast.Condition) -> Condition:
        """A condition of the profile."""
        found: Condition = self.shared(repr(condition), lambda: self._condition(condition))
        return found

    def _condition(self, condition: ast.Condition) -> Condition:
        if isinstance(condition, ast.And | ast.Or):
            return Junction([self.condition(item) for item in condition.items], isinstance(condition, ast.And))
        if isinstance(condition, ast.Not):
            return Negation(self.condition(condition.item))
        if isinstance(condition, ast.HeldFor):
            return Held(self.condition(condition.comparison), condition.duration)
        if isinstance(condition, ast.Quantified):
            raise TypeError("ANY and ALL are about the users of an account")
        return self._compare(replace(condition, left=self.resolved(condition.left)))

    def _compare(self, comparison: ast.Compare) -> Condition:
        found = count_threshold(comparison)
        if found is not None:
            counted, least, denied = found
            stream = counted.stream
            threshold = self.shared(f"{stream!r} >= {least}", lambda: self._threshold(stream, least))
            return Negation(threshold) if denied else threshold
        left, kind = self.scalar(comparison.left)
        if is_relative(comparison):
            return relative_date(comparison, left, kind)
        return timeless(comparison, left, kind, [self.scalar(argument) for argument in comparison.arguments])

    def _threshold(self, stream: ast.Stream, least: int) -> Condition:
        if not _is_static(stream):
            funnel, follows = self._funnel(stream)
            return FunnelThreshold(funnel, least, follows)
        return Threshold(self.window(stream, None), least)

    # --- scalars -------------------------------------------------------------------------------------------------

    def resolved(self, scalar: ast.Scalar) -> ast.Scalar:
        """A computed trait's expression; any other scalar as it is."""
        while isinstance(scalar, ast.ComputedTrait):
            scalar = self.values[scalar.name]
        return scalar

    def scalar(self, scalar: ast.Scalar) -> tuple[Scalar, Kind]:
        """A scalar of the profile, and what is known of its values."""
        scalar = self.resolved(scalar)
        found: Scalar = self.shared(repr(scalar), lambda: self._scalar(scalar))
        return found, kind_of(scalar)

    def _scalar(self, scalar: ast.Scalar) -> Scalar:
        if isinstance(scalar, ast.Membership):
            return MembershipScalar(self.stays[scalar.name])
        if isinstance(scalar, ast.Trait):
            self.program.traits.update(trait_fields(scalar.path))
            return TraitScalar(scalar.path)
        if isinstance(scalar, ast.Column):
            return ColumnScalar(scalar.name)
        if isinstance(scalar, ast.Percent):
            return PercentScalar(scalar.salt)
        if isinstance(scalar, ast.Instant):
            return Constant(scalar.text)
        if isinstance(scalar, ast.Literal):
            return Constant(scalar.value)
        if isinstance(scalar, ast.Reduced):
            return self._reduced(scalar)
        raise TypeError(f"{type(scalar).__name__} has no meaning outside a where")

    def _reduced(self, reduced: ast.Reduced) -> Scalar:
        operand = self.operand(reduced, reduced.stream)
        if _is_static(reduced.stream):
            return StreamScalar(self.window(reduced.stream, operand), reduced)
        return FunnelScalar(self._funnel(reduced.stream)[0], reduced, operand, of_parent=False)

    def operand(self, reduced: ast.Reduced, of: ast.Stream) -> Operand | None:
        """What events of a stream contribute to the reducer."""
        field = reduced.field
        if field is None:
            return None
        name = self.read(of, field)
        key = f"operand {reduced.reducer} {reduced.cast} {name}"
        found: Operand = self.shared(key, lambda: Operand(name, reduced, field))
        return found

    # --- streams -------------------------------------------------------------------------------------------------

    def selection(self, stream: ast.Stream) -> Selection:
        """The stream's events that pass what they decide by themselves."""
        conditions = [condition for condition in conjuncts(stream) if is_event_condition(condition)]
        for condition in conditions:
            for node, _ in walk(condition):
                if isinstance(node, ast.Field):
                    self.read(stream, node)
        key = f"selection {stream.type} {stream.name!r} {conditions!r}"
        name = (stream.type, stream.name)
        found: Selection = self.shared(key, lambda: Selection(name, compile_event_tests(conditions)))
        return found

    def window(self, stream: ast.Stream, operand: Operand | None) -> Window:
        """The selection's events over the time in which they count."""
        selection, (start, end) = self.selection(stream), window_of(stream)
        key = f"window {id(selection)} {id(operand)} {start} {end}"
        found: Window = self.shared(key, lambda: Window(selection, operand, start, end))
        return found

    def _funnel(self, stream: ast.Stream) -> tuple[Funnel, bool]:
        """The stream, and whether nothing that is nested in it comes before its parent."""
        found: tuple[Funnel, bool] = self.shared(f"funnel {stream!r}", lambda: self._compile_funnel(stream))
        return found

    def _compile_funnel(self, stream: ast.Stream) -> tuple[Funnel, bool]:
        where = WhereCompiler(self)
        funnel = Funnel(self.selection(stream), *window_of(stream), UNBOUND, where.condition_of(stream, None))
        return funnel, where.follows


def _is_static(stream: ast.Stream) -> bool:
    return all(is_event_condition(condition) for condition in conjuncts(stream))

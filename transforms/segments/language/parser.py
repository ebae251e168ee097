"""From a raw tree to the syntax tree of `ast.py`: gives every function its meaning and its place.

Finds all misplaced functions and malformed arguments of a rule at once. What the values are is `check.py`'s affair,
which names mean a segment or a computed trait `resolve.py`'s.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal as OneOf
from typing import cast

from schemas.errors import DefinitionErrors
from transforms.segments.language import ast, functions, syntax
from transforms.segments.language.columns import COLUMNS
from transforms.segments.language.errors import Origin, closest, gather
from transforms.segments.language.functions import FUNCTIONS
from transforms.segments.language.kinds import Comparator, Extractor, Filter, Function, Modifier
from transforms.segments.language.literal_nodes import DURATION_USAGE, LiteralNodes
from transforms.segments.language.walk import walk
from transforms.segments.reducers import REDUCERS, Reducer

MAX_EXPRESSIONS = 50
"""Primary expressions in one definition; those inside a `where` are part of the one that holds them."""

Built = ast.Scalar | ast.Stream | ast.Condition
Cast = OneOf["number", "string", "array"] | None


def parse_condition(text: str, origin: Origin | str | None = None) -> ast.Condition:
    """The condition that a segment's `when` says.

    Args:
        text: the rule.
        origin: where it stands, for positions; or just a name for errors.

    Raises:
        DefinitionErrors: everything that is wrong with its form.
    """
    return _Parse(text, origin).rule_condition()


def parse_scalar(text: str, origin: Origin | str | None = None) -> ast.Scalar:
    """The value that a computed trait's `value` says. As `parse_condition`."""
    return _Parse(text, origin).rule_scalar()


class _Parse(LiteralNodes):
    """One rule on its way. A part that is wrong raises; `gather` lets its neighbours be looked at all the same."""

    def __init__(self, text: str, origin: Origin | str | None) -> None:
        super().__init__(origin if isinstance(origin, Origin) else Origin.of_text(text, origin or "<rule>"))
        self._root = syntax.read_syntax(text, self._origin)

    def rule_condition(self) -> ast.Condition:
        condition = self._condition(self._root)
        primary = [node for node, streams in walk(condition) if isinstance(node, ast.Compare) and not streams]
        if len(primary) > MAX_EXPRESSIONS:
            where = primary[MAX_EXPRESSIONS].position
            message = f"the rule has {len(primary)} expressions; this is the one after the limit of {MAX_EXPRESSIONS}"
            advice = "fewer, or a part of the rule as a segment of its own: trait('segments.NAME') = true"
            raise DefinitionErrors([self._origin.source.problem(where, message, advice)])
        return condition

    def rule_scalar(self) -> ast.Scalar:
        return self._scalar(self._root)

    # --- what a part must be ---

    def _condition(self, node: syntax.Node) -> ast.Condition:
        built = self._build(node)
        if isinstance(built, ast.Condition):
            return built
        if isinstance(built, ast.Stream):
            raise self._wrong(node, "a list of events is neither true nor false", "a comparison, such as .count() >= 1")
        expected = "a comparison, such as = 'Paris', >= 1 or .exists()"
        raise self._wrong(node, "a value is neither true nor false", expected)

    def _scalar(self, node: syntax.Node) -> ast.Scalar:
        built = self._build(node)
        if isinstance(built, ast.Stream):
            raise self._wrong(node, "a list of events is not a value", "a reducer after it, such as .count()")
        if isinstance(built, ast.Condition):
            expected = "a value, such as event('NAME').count()"
            raise self._wrong(node, "a comparison is true or false, and not a value", expected)
        return built

    def _scalars(self, *nodes: syntax.Node) -> list[ast.Scalar]:
        return gather(partial(self._scalar, node) for node in nodes)

    def _build(self, node: syntax.Node) -> Built:
        if isinstance(node, syntax.Junction):
            return self._junction(node)
        if isinstance(node, syntax.Negation):
            return ast.Not(self._condition(node.item), self._at(node))
        if isinstance(node, syntax.Comparison):
            return self._comparison(node)
        if isinstance(node, syntax.Chain):
            return self._chain(node)
        if isinstance(node, syntax.Call):
            return self._extract(node)
        if isinstance(node, syntax.DurationValue):
            return self._duration_literal(node)
        if isinstance(node, syntax.Value):
            return self._literal(node)
        quantifier = cast(syntax.Quantifier, node)
        return ast.Quantified(quantifier.every, self._condition(quantifier.item), self._at(node))

    def _junction(self, node: syntax.Junction) -> ast.Condition:
        items = tuple(gather(partial(self._condition, item) for item in node.items))
        return ast.And(items, self._at(node)) if node.conjunctive else ast.Or(items, self._at(node))

    # --- comparisons ---

    def _comparison(self, node: syntax.Comparison) -> ast.Condition:
        """`left SYMBOL right`. A `.held_for(d)` that was written behind the right side belongs to the comparison."""
        right, held = node.right, None
        if isinstance(right, syntax.Chain) and right.calls[-1].name == "held_for":
            held = right.calls[-1]
            rest = right.calls[:-1]
            right = syntax.Chain(right.offset, right.depth, right.base, rest) if rest else right.base
        left, argument = self._scalars(node.left, right)
        self._refuse_duration(right, argument)
        operator = functions.SYMBOLS[str(node.symbol)]
        comparison = ast.Compare(operator, left, (argument,), self._origin.position(node.symbol.start_pos or 0))
        return self._hold(comparison, held) if held else comparison

    def _refuse_duration(self, node: syntax.Node, argument: ast.Scalar) -> None:
        if isinstance(argument, ast.Duration):
            expected = "a value; ages of dates are compared with within_last, before_last and the like"
            raise self._wrong(node, "a duration is not a value to compare with", expected)

    def _compare(self, function: Comparator, left: ast.Scalar, call: syntax.Call) -> ast.Compare:
        count = len(call.arguments)
        if function.meaning == "presence":
            if count:
                raise self._wrong(call, f"{call.name}() takes no argument")
            return ast.Compare(function.name, left, (), self._at(call))
        if count == 0 or (count > 1 and not function.many):
            some = "at least one argument" if function.many else "one argument"
            raise self._wrong(call, f"{call.name}() takes {some}, not {count}")
        arguments = gather(partial(self._comparator_argument, function, argument) for argument in call.arguments)
        return ast.Compare(function.name, left, tuple(arguments), self._at(call))

    def _comparator_argument(self, function: Comparator, argument: syntax.Argument) -> ast.Scalar:
        self._refuse_marks(argument)
        if function.meaning == "relative_date":
            return self._duration(argument)
        value = self._scalar(argument.value)
        self._refuse_duration(argument, value)
        if function.meaning == "date" and isinstance(value, ast.Literal):
            return self._instant(argument, str(value.value))
        return value

    def _hold(self, built: Built, call: syntax.Call) -> ast.HeldFor:
        if not isinstance(built, ast.Compare):
            raise self._wrong(
                call, "held_for() follows a comparison", "trait('status').equals('gold').held_for(7 days)"
            )
        if len(call.arguments) != 1:
            raise self._wrong(call, f"held_for() takes one argument, not {len(call.arguments)}")
        duration = self._duration(call.arguments[0], least=1)
        return ast.HeldFor(built, duration.microseconds, self._at(call))

    # --- chains ---

    def _chain(self, node: syntax.Chain) -> Built:
        built = self._build(node.base)
        for call in node.calls:
            built = self._apply(built, call)
        return built

    def _apply(self, built: Built, call: syntax.Call) -> Built:
        function = FUNCTIONS.get(call.name)
        if function is None:
            raise self._unknown(call, _possible(built))
        if isinstance(function, Modifier):
            return self._hold(built, call)
        if isinstance(function, Extractor):
            raise self._wrong(call, f"{call.name}() starts an expression; it cannot follow another")
        if isinstance(built, ast.Condition):
            raise self._wrong(call, f"the comparison is complete; {call.name}() cannot follow it", "AND, OR or nothing")
        if isinstance(function, Comparator):
            return self._compare_chain(function, built, call)
        if isinstance(built, ast.Stream):
            return self._filter(built, call) if isinstance(function, Filter) else self._reduce(built, call)
        if isinstance(built, ast.Reduced) and call.name == "count" and built.reducer == "unique":
            return self._count_unique(built, call)
        raise self._not_on_value(function, built, call)

    def _compare_chain(self, function: Comparator, built: Built, call: syntax.Call) -> ast.Compare:
        if isinstance(built, ast.Stream):
            expected = ".last_at() before it, or within(7 days)" if function.meaning == "relative_date" else ""
            message = f"{call.name}() compares a value; a list of events is none"
            raise self._wrong(call, message, expected or "a reducer before it, such as .count()")
        return self._compare(function, cast(ast.Scalar, built), call)

    def _not_on_value(self, function: Function, built: Built, call: syntax.Call) -> DefinitionErrors:
        if isinstance(built, ast.Reduced):
            reducer = "count" if REDUCERS[built.reducer].follows else built.reducer
            message = f"{call.name}() works on events; {reducer}() has already made one value of them"
            return self._wrong(call, message, f"{function.usage} before {reducer}()")
        suggestion = "'within_last'" if call.name == "within" else ""
        message = f"{call.name}() works on events; this is a value"
        return self._wrong(call, message, "event('NAME') before it", suggestion)

    def _count_unique(self, unique: ast.Reduced, call: syntax.Call) -> ast.Reduced:
        if call.arguments:
            raise self._wrong(call, "count() takes no argument")
        return ast.Reduced(unique.stream, "unique_count", unique.operand, position=unique.position)

    # --- extractors ---

    def _extract(self, call: syntax.Call) -> Built:
        function = FUNCTIONS.get(call.name)
        if function is None:
            raise self._unknown(call, functions.named(Extractor))
        if not isinstance(function, Extractor):
            raise self._wrong(call, f"{call.name}() follows an expression; it cannot start one", _before(function))
        position = self._at(call)
        if function.nameless and not call.arguments:
            return ast.Stream(functions.STREAM_TYPES[call.name], None, (), position)
        if not function.named or len(call.arguments) != 1:
            takes = "one argument" if function.named else "no argument"
            raise self._wrong(call, f"{call.name}() takes {takes}, not {len(call.arguments)}", function.usage)
        argument = call.arguments[0]
        if call.name == "literal":
            return self._literal_call(call)
        has_parent = argument.label == "parent" and call.name in ("property", "context")
        self._refuse_marks(argument, parent=has_parent)
        name = self._text(call, argument)
        if call.name in functions.STREAM_TYPES:
            return ast.Stream(functions.STREAM_TYPES[call.name], name, (), position)
        if call.name == "trait":
            return ast.Trait(name, position)
        if call.name == "percent":
            return ast.Percent(name, position)
        if call.name == "profile":
            return self._column(argument, name, position)
        return ast.Field("properties" if call.name == "property" else "context", name, has_parent, position)

    def _column(self, argument: syntax.Argument, name: str, position: ast.Position) -> ast.Column:
        if name in COLUMNS:
            return ast.Column(name, position)
        expected = f"one of {', '.join(COLUMNS)}; other traits by trait('NAME')"
        raise self._wrong(argument, f"a profile has no column '{name}'", expected, closest(name, COLUMNS))

    def _literal_call(self, call: syntax.Call) -> ast.Scalar:
        argument = call.arguments[0]
        self._refuse_marks(argument)
        value = self._scalar(argument.value)
        if isinstance(value, ast.Literal | ast.Instant):
            return value
        raise self._wrong(call, "literal() takes a plain value", "literal('text'), literal(100) or literal(2027-01-31)")

    def _text(self, call: syntax.Call, argument: syntax.Argument) -> str:
        """The text that names an event, a trait or a path. Pages and screens may have an empty name."""
        value = self._scalar(argument.value)
        if not isinstance(value, ast.Literal) or not isinstance(value.value, str):
            raise self._wrong(argument, f"{call.name}() takes a name in quotes", FUNCTIONS[call.name].usage)
        if not value.value and call.name not in ("page", "screen"):
            raise self._wrong(argument, f"{call.name}() needs a name", FUNCTIONS[call.name].usage)
        return value.value

    # --- filters and reducers ---

    def _filter(self, stream: ast.Stream, call: syntax.Call) -> ast.Stream:
        made = self._where(call) if call.name == "where" else self._window(call)
        return ast.Stream(stream.type, stream.name, (*stream.filters, made), stream.position)

    def _where(self, call: syntax.Call) -> ast.Where:
        if len(call.arguments) != 1:
            raise self._wrong(
                call, f"where() takes one condition, not {len(call.arguments)}", "AND or OR between conditions"
            )
        argument = call.arguments[0]
        self._refuse_marks(argument)
        return ast.Where(self._condition(argument.value), self._at(call))

    def _window(self, call: syntax.Call) -> ast.Window | ast.ParentWindow:
        count = 1 if call.name == "within" else 2
        if len(call.arguments) != count:
            takes = "one duration" if count == 1 else "two durations"
            raise self._wrong(
                call, f"{call.name}() takes {takes}, not {len(call.arguments)}", FUNCTIONS[call.name].usage
            )
        has_parent = call.arguments[0].label == "parent"
        ends = gather(
            partial(self._duration, argument, parent=has_parent and not i) for i, argument in enumerate(call.arguments)
        )
        start, end = (0, *(duration.microseconds for duration in ends))[-2:]
        if start >= end:
            fault = "a window of no length holds nothing" if count == 1 else "the window ends before it starts"
            raise self._wrong(call, fault, "between(shorter, longer)" if count == 2 else "a longer duration")
        if has_parent:
            return ast.ParentWindow(start, end, excludes_parent=count == 1, position=self._at(call))
        return ast.Window(start, end, self._at(call))

    def _reduce(self, stream: ast.Stream, call: syntax.Call) -> ast.Reduced:
        reducer = cast(Reducer, FUNCTIONS[call.name])
        least = int(reducer.argument != "nothing")
        if not least <= len(call.arguments) <= least + int(reducer.takes_frequency):
            takes = _TAKES[reducer.argument]
            raise self._wrong(call, f"{call.name}() takes {takes}, not {len(call.arguments)} arguments", reducer.usage)
        if not call.arguments:
            return ast.Reduced(stream, call.name, position=self._at(call))
        argument = call.arguments[0]
        if reducer.argument == "gap":
            return ast.Reduced(stream, call.name, self._duration(argument, least=1), position=self._at(call))
        parts: list[Callable[[], object]] = [
            partial(self._operand, call, argument),
            partial(self._cast, reducer, argument),
        ]
        parts += [partial(self._frequency, extra) for extra in call.arguments[1:]]
        operand, kind, frequency = (*gather(parts), None)[:3]
        return ast.Reduced(
            stream,
            call.name,
            cast(ast.Field, operand),
            cast(Cast, kind),
            cast("int | None", frequency),
            self._at(call),
        )

    def _operand(self, call: syntax.Call, argument: syntax.Argument) -> ast.Field:
        if argument.label:
            raise self._wrong(argument, f"unknown '{argument.label}:'", FUNCTIONS[call.name].usage)
        value = self._scalar(argument.value)
        if isinstance(value, ast.Field):
            return value
        raise self._wrong(argument, f"{call.name}() takes a property of the event", FUNCTIONS[call.name].usage)

    def _cast(self, reducer: Reducer, argument: syntax.Argument) -> str | None:
        """The word after `as`, if there is one."""
        if argument.cast is None:
            return None
        word, place = str(argument.cast), argument.cast.start_pos or 0
        if word in reducer.casts:
            return word
        if not reducer.casts:
            raise self._wrong(place, f"{reducer.name}() takes no 'as'", reducer.usage)
        expected = f"as {' or as '.join(reducer.casts)}"
        raise self._wrong(place, f"unknown type '{word}'", expected, closest(word, reducer.casts))

    def _frequency(self, argument: syntax.Argument) -> int:
        self._refuse_marks(argument)
        value = self._scalar(argument.value)
        if isinstance(value, ast.Literal) and type(value.value) is int and value.value >= 1:
            return value.value
        raise self._wrong(argument, "the least frequency is a whole number from 1", "mode(property('path'), 2)")

    # --- arguments ---

    def _refuse_marks(self, argument: syntax.Argument, *, parent: bool = False) -> None:
        """No label (but `parent:` where that is allowed) and no `as`."""
        if argument.label and not parent:
            expected = "parent: in property, context, within or between"
            raise self._wrong(argument, f"'{argument.label}:' has no meaning here", expected)
        if argument.cast is not None:
            place = argument.cast.start_pos or 0
            raise self._wrong(place, f"'as {argument.cast}' has no meaning here", "as in max, min and mode")

    def _duration(self, argument: syntax.Argument, *, parent: bool = False, least: int = 0) -> ast.Duration:
        self._refuse_marks(argument, parent=parent)
        value, place = self._scalar(argument.value), argument.value
        if isinstance(value, ast.Duration):
            if value.microseconds >= least:
                return value
            raise self._wrong(place, "this duration must be longer than nothing", DURATION_USAGE)
        if isinstance(value, ast.Literal) and isinstance(value.value, str):
            raise self._wrong(place, "a duration is written without quotes", DURATION_USAGE)
        fault = "this number has no unit" if isinstance(value, ast.Literal) else "this is no duration"
        raise self._wrong(place, fault, DURATION_USAGE)

    def _unknown(self, call: syntax.Call, possible: tuple[str, ...]) -> DefinitionErrors:
        if call.name in functions.NOT_SUPPORTED:
            return self._wrong(call, functions.NOT_SUPPORTED[call.name])
        suggestion = closest(call.name, possible) or closest(call.name, FUNCTIONS)
        return self._wrong(call, f"unknown function '{call.name}'", f"one of {', '.join(possible)}", suggestion)


_TAKES = {"nothing": "no argument", "property": "a property", "gap": "a duration"}


def _possible(built: Built) -> tuple[str, ...]:
    """The functions that may follow."""
    if isinstance(built, ast.Stream):
        return functions.named(Filter, Reducer)
    if isinstance(built, ast.Condition):
        return functions.named(Modifier)
    return functions.named(Comparator)


def _before(function: Function) -> str:
    if isinstance(function, Comparator):
        return f"a value before it, such as trait('NAME').{function.usage}"
    return f"event('NAME').{function.usage.split(' or ')[0]}"

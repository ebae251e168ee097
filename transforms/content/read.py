"""From Liquid to a block. The parser is python-liquid's; here its tree is given the meaning of block.py, or refused.

Liquid's `and` and `or` group from right to left: `a and b or c` is `a and (b or c)`. That is what the tree says, and
what every platform is told with parentheses or nesting of its own.
"""

from __future__ import annotations

from collections.abc import Iterable

from liquid import Environment
from liquid.ast import BlockNode, Node
from liquid.builtin.content import ContentNode
from liquid.builtin.expressions import BooleanExpression, FilteredExpression, Path, logical, primitive
from liquid.builtin.output import OutputNode
from liquid.builtin.tags.assign_tag import AssignNode
from liquid.builtin.tags.case_tag import CaseNode, MultiExpressionBlockNode
from liquid.builtin.tags.comment_tag import CommentNode
from liquid.builtin.tags.if_tag import IfNode
from liquid.builtin.tags.unless_tag import UnlessNode
from liquid.exceptions import LiquidError
from liquid.expression import Expression

from schemas.errors import DefinitionErrors, Problem
from transforms.content.block import (
    And,
    Body,
    Choice,
    Compare,
    Condition,
    Contains,
    Field,
    Filled,
    Filter,
    Member,
    Not,
    Operator,
    Or,
    Part,
    Root,
    Scalar,
    Show,
    Text,
)
from transforms.segments.language.errors import SourceFile, closest

FILTERS = {
    "default": (1, 1),
    "date": (1, 1),
    "upcase": (0, 0),
    "downcase": (0, 0),
    "capitalize": (0, 0),
    "escape": (0, 0),
}
"""The filters of a block, each with the least and the most of its arguments."""
_TAGS = "if, elsif, else, unless, case, when, assign, comment, raw"
_ROOTS = ("profile", "computed", "segments")
_OPERATORS: dict[type[Expression], Operator] = {
    logical.EqExpression: "==",
    logical.NeExpression: "!=",
    logical.LtExpression: "<",
    logical.LeExpression: "<=",
    logical.GtExpression: ">",
    logical.GeExpression: ">=",
}
_TURNED: dict[Operator, Operator] = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


def read_block(source: SourceFile) -> Body:
    """The block that a Liquid template says.

    Raises:
        DefinitionErrors: what is no Liquid, or more Liquid than every platform can be told; each with its place.
    """
    try:
        nodes = Environment().from_string(source.text).nodes
    except LiquidError as error:
        index = max(error.token.start_index, 0) if error.token is not None else 0
        message = str(error.args[0]) if error.args else "this is no Liquid"
        raise DefinitionErrors([source.problem(source.position(index), _one_line(message))]) from error
    reader = _Reader(source)
    body = reader.body(nodes, {})
    if reader.problems:
        raise DefinitionErrors(reader.problems)
    return body


def _one_line(message: str) -> str:
    return message.strip().splitlines()[0]


_Logical = logical.LogicalAndExpression | logical.LogicalOrExpression


class _RefusedError(Exception):
    """This part has been refused; the reader goes on with the next one."""


Assigned = dict[str, Show]
Operand = Field | Scalar | None
"""None: nil, empty or blank."""


class _Reader:
    def __init__(self, source: SourceFile) -> None:
        self.problems: list[Problem] = []
        self._source = source

    def body(self, nodes: Iterable[Node], assigned: Assigned) -> Body:
        """The parts of a block. What is assigned before a part is put in its place there."""
        known = dict(assigned)
        parts: list[Part] = []
        for node in nodes:
            try:
                self._part(node, known, parts)
            except _RefusedError:
                continue
        return tuple(parts)

    def _part(self, node: Node, known: Assigned, parts: list[Part]) -> None:
        at = max(node.token.start_index, 0)
        match node:
            case ContentNode():
                parts.append(Text(node.text, at))
            case CommentNode():
                pass
            case OutputNode():
                parts.append(self._show(node.expression, known, at))
            case AssignNode():
                known[str(node.name)] = self._show(node.expression, known, at)
            case IfNode() | UnlessNode():
                parts.append(self._choice(node, known, at))
            case CaseNode():
                parts.append(self._case(node, known, at))
            case _:
                name = node.token.value.split()[0] if node.token.value else "this"
                raise self._refuse(at, f"a block cannot have the tag {name!r}", f"one of {_TAGS}")

    def _refuse(self, at: int, message: str, expected: str = "", suggestion: str = "") -> _RefusedError:
        self.problems.append(self._source.problem(self._source.position(at), message, expected, suggestion))
        return _RefusedError()

    def _choice(self, node: IfNode | UnlessNode, known: Assigned, at: int) -> Choice:
        first, places = self.condition(node.condition, known), [at]
        branches = [(Not(first) if isinstance(node, UnlessNode) else first, self._inner(node.consequence, known))]
        for one in node.alternatives:
            places.append(self._tag(one))
            branches.append((self.condition(one.expression, known), self._inner(one.block, known)))
        return Choice(tuple(branches), self._inner(node.default, known) if node.default else (), at, tuple(places))

    def _inner(self, block: BlockNode, known: Assigned) -> Body:
        for node in block.nodes:
            if isinstance(node, AssignNode):
                self.problems.append(
                    self._source.problem(
                        self._source.position(max(node.token.start_index, 0)),
                        "assign inside a branch: what it sets would depend on the person",
                        "assign before the branch, or the value itself in its place",
                    )
                )
        return self.body(block.nodes, known)

    def _case(self, node: CaseNode, known: Assigned, at: int) -> Choice:
        subject = self._operand(node.expression, known)
        branches: list[tuple[Condition, Body]] = []
        places: list[int] = []
        otherwise: Body = ()
        for block in node.blocks:
            if not isinstance(block, MultiExpressionBlockNode):
                otherwise = self._inner(block, known)
                continue
            body = self._inner(block.block, known)
            for choice in block.expression.expressions:
                condition = self._compared(subject, "==", self._operand(choice, known), self._at(choice))
                branches.append((condition, body))
                places.append(self._tag(block))
        return Choice(tuple(branches), otherwise, at, tuple(places))

    def condition(self, expression: Expression, known: Assigned) -> Condition:
        """What an `if` asks."""
        match expression:
            case BooleanExpression():
                return self.condition(expression.expression, known)
            case logical.LogicalAndExpression():
                return And(*self._sides(expression, known), self._at(expression))
            case logical.LogicalOrExpression():
                return Or(*self._sides(expression, known), self._at(expression))
            case logical.LogicalNotExpression():
                return Not(self.condition(expression.right, known))
            case logical.ContainsExpression():
                return self._contains(expression, known)
            case _ if type(expression) in _OPERATORS:
                left, right = (self._operand(side, known) for side in (expression.left, expression.right))  # type: ignore[attr-defined]
                return self._compared(left, _OPERATORS[type(expression)], right, self._at(expression))
        value = self._operand(expression, known)
        if not isinstance(value, Field):
            raise self._refuse(
                self._at(expression), "a condition asks about the person", "a trait, such as profile.city"
            )
        return Member(value) if value.root == "segments" else Filled(value)

    def _sides(
        self, expression: logical.LogicalAndExpression | logical.LogicalOrExpression, known: Assigned
    ) -> tuple[Condition, Condition]:
        return self.condition(expression.left, known), self.condition(expression.right, known)

    def _contains(self, expression: logical.ContainsExpression, known: Assigned) -> Condition:
        right = self._operand(expression.right, known)
        if not isinstance(right, str):
            raise self._refuse(
                self._at(expression.right), "contains asks for a text", "a text in quotes, such as 'vip'"
            )
        if _is_segments(expression.left):
            return Member(Field("segments", right, self._at(expression.right)))
        left = self._operand(expression.left, known)
        if not isinstance(left, Field):
            raise self._refuse(
                self._at(expression.left), "contains asks a trait or segments", "profile.tags contains 'vip'"
            )
        return Contains(left, right)

    def _compared(self, left: Operand, operator: Operator, right: Operand, at: int) -> Condition:
        if isinstance(right, Field) and not isinstance(left, Field):
            left, operator, right = right, _TURNED[operator], left
        if not isinstance(left, Field) or isinstance(right, Field):
            raise self._refuse(
                at, "a comparison has a trait on one side and a value on the other", "profile.city == 'Berlin'"
            )
        if right is None:
            if operator not in {"==", "!="}:
                raise self._refuse(at, f"nothing is {operator} nil, empty or blank", "== or !=")
            return Filled(left) if operator == "!=" else Not(Filled(left))
        if operator not in {"==", "!="} and (isinstance(right, bool) or not isinstance(right, int | float)):
            raise self._refuse(
                at,
                f"{operator} compares numbers: the platforms order texts and dates in different ways",
                "a number, or a segment or computed trait that says what is meant",
            )
        return Compare(left, operator, right)

    def _operand(self, expression: Expression, known: Assigned) -> Operand:
        match expression:
            case primitive.Nil() | primitive.Empty() | primitive.Blank():
                return None
            case primitive.Literal():
                value: Scalar = expression.value
                return value
            case Path():
                return self._path(expression, known)
            case FilteredExpression() if not expression.filters:
                return self._operand(expression.left, known)
        raise self._refuse(
            self._at(expression), "a block cannot have this here", "a trait, a text in quotes or a number"
        )

    def _path(self, expression: Path, known: Assigned) -> Field | Scalar:
        at, steps = self._at(expression), list(expression.path)
        names = [str(step) for step in steps if isinstance(step, str)]
        if len(names) == len(steps) == 1 and names[0] in known:
            shown = known[names[0]]
            if shown.filters:
                raise self._refuse(at, f"{names[0]} was assigned with filters", "the trait itself in the condition")
            return shown.value
        if len(names) != len(steps) or len(names) < 2 or names[0] not in _ROOTS:
            raise self._refuse(
                at,
                f"unknown name {'.'.join(map(str, steps))!r}",
                "profile.NAME, computed.NAME, segments contains 'NAME', or a name that was assigned before",
                closest(names[0], [*_ROOTS, *known]) if names else "",
            )
        root: Root = names[0]  # type: ignore[assignment]
        return Field(root, ".".join(names[1:]), at)

    def _show(self, expression: Expression, known: Assigned, at: int) -> Show:
        if not isinstance(expression, FilteredExpression):
            raise self._refuse(at, "a block cannot have this here", "a value and filters")
        filters = tuple(
            self._filter(one.name, [a.value for a in one.args], one.token.start_index, known)
            for one in expression.filters or []
        )
        left = expression.left
        if isinstance(left, Path) and len(left.path) == 1 and str(left.path[0]) in known:
            before = known[str(left.path[0])]
            return Show(before.value, (*before.filters, *filters), at)
        value = self._operand(left, known)
        if value is None:
            raise self._refuse(at, "there is nothing to show", "a trait or a text")
        if isinstance(value, Field) and value.root == "segments":
            raise self._refuse(at, "a segment is no value to show", "{% if segments contains 'NAME' %}")
        return Show(value, filters, at)

    def _filter(self, name: str, arguments: list[Expression], at: int, known: Assigned) -> Filter:
        if name not in FILTERS:
            raise self._refuse(at, f"unknown filter {name!r}", "one of " + " ".join(FILTERS), closest(name, FILTERS))
        least, most = FILTERS[name]
        values = tuple(self._operand(argument, known) for argument in arguments)
        if not least <= len(values) <= most or any(not isinstance(value, str | int | float | bool) for value in values):
            raise self._refuse(
                at,
                f"{name} takes {'one text or number' if most else 'no argument'}",
                f"{name}: 'text'" if most else name,
            )
        return Filter(name, values, at)  # type: ignore[arg-type]

    def _tag(self, node: Node) -> int:
        """Where a branch's own tag begins: the parser knows where its content does."""
        return self._source.text.rfind("{%", 0, self._at(node) + 2)

    def _at(self, part: Expression | Node) -> int:
        return max(part.token.start_index, 0)


def _is_segments(expression: Expression) -> bool:
    return isinstance(expression, Path) and [str(step) for step in expression.path] == ["segments"]

"""From text to a raw tree: what was written, before any function has a meaning.

The raw tree keeps where each part stands; `parser.py` turns it into the syntax tree of `ast.py`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import cast

from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from schemas.errors import DefinitionErrors, Problem
from transforms.segments.language.errors import Origin

# Far more than a rule of 50 expressions needs, far less than Python's stack allows.
_MAX_DEPTH = 100


@dataclass(frozen=True, slots=True)
class Node:
    """Any part of a raw tree. `offset` is where it starts in the text, `depth` how many levels it holds."""

    offset: int
    depth: int


@dataclass(frozen=True, slots=True)
class Value(Node):
    """A literal; `kind` is text, number, instant, boolean or words (which are an error with a good message)."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class DurationValue(Node):
    number: str
    unit: str
    unit_offset: int


@dataclass(frozen=True, slots=True)
class Argument(Node):
    """`[label:] value [as cast]`."""

    value: Node
    label: str
    cast: Token | None


@dataclass(frozen=True, slots=True)
class Call(Node):
    name: str
    arguments: tuple[Argument, ...]


@dataclass(frozen=True, slots=True)
class Chain(Node):
    base: Node
    calls: tuple[Call, ...]


@dataclass(frozen=True, slots=True)
class Comparison(Node):
    left: Node
    symbol: Token
    right: Node


@dataclass(frozen=True, slots=True)
class Negation(Node):
    item: Node


@dataclass(frozen=True, slots=True)
class Quantifier(Node):
    """ANY or ALL (`every`), before a rule."""

    every: bool
    item: Node


@dataclass(frozen=True, slots=True)
class Junction(Node):
    """AND or OR of its items."""

    conjunctive: bool
    items: tuple[Node, ...]


def read_syntax(text: str, origin: Origin) -> Node:
    """The raw tree of a rule.

    Raises:
        DefinitionErrors: with one problem, the first place where the text is no rule.
    """
    try:
        # With a transformer, lark returns what its `start` does.
        node = cast(Node, _parser().parse(text))
    except UnexpectedInput as error:
        raise DefinitionErrors([_describe(text, origin, error)]) from None
    if node.depth > _MAX_DEPTH:
        position = origin.position(node.offset)
        raise DefinitionErrors([origin.source.problem(position, f"the rule nests more than {_MAX_DEPTH} levels")])
    return node


@cache
def _parser() -> Lark:
    return Lark.open("grammar.lark", rel_to=__file__, parser="lalr", transformer=_ToNodes())


def _above(children: Sequence[Node]) -> int:
    return 1 + max((child.depth for child in children), default=0)


class _ToNodes(Transformer[Token, Node]):
    """One method per rule of the grammar. Runs while the parser reduces, so that depth costs no stack."""

    def start(self, children: list[Node]) -> Node:
        return children[0]

    def disjunction(self, children: list[Node]) -> Node:
        return Junction(children[0].offset, _above(children), False, tuple(children))

    def conjunction(self, children: list[Node]) -> Node:
        return Junction(children[0].offset, _above(children), True, tuple(children))

    def negation(self, children: list[Token | Node]) -> Node:
        word, item = cast(Token, children[0]), cast(Node, children[1])
        return Negation(_start(word), item.depth + 1, item)

    def quantifier(self, children: list[Token | Node]) -> Node:
        word, item = cast(Token, children[0]), cast(Node, children[1])
        return Quantifier(_start(word), item.depth + 1, str(word).upper() == "ALL", item)

    def comparison(self, children: list[Token | Node]) -> Node:
        left, symbol, right = cast(Node, children[0]), cast(Token, children[1]), cast(Node, children[2])
        return Comparison(left.offset, _above([left, right]), left, symbol, right)

    def chain(self, children: list[Node]) -> Node:
        base, calls = children[0], tuple(cast(Call, call) for call in children[1:])
        return Chain(base.offset, _above(children), base, calls)

    def call(self, children: list[Token | Node | None]) -> Node:
        name = cast(Token, children[0])
        arguments = tuple(argument for argument in children[1:] if isinstance(argument, Argument))
        return Call(_start(name), _above(arguments), str(name), arguments)

    def argument(self, children: list[Token | Node | None]) -> Node:
        label, kind = cast("Token | None", children[0]), cast("Token | None", children[2])
        value = cast(Node, children[1])
        return Argument(value.offset if label is None else _start(label), value.depth, value, label or "", kind)

    def duration(self, children: list[Token]) -> Node:
        number, unit = children
        return DurationValue(_start(number), 1, str(number), str(unit), _start(unit))

    def text(self, children: list[Token]) -> Node:
        return _value("text", children)

    def number(self, children: list[Token]) -> Node:
        return _value("number", children)

    def instant(self, children: list[Token]) -> Node:
        return _value("instant", children)

    def boolean(self, children: list[Token]) -> Node:
        return _value("boolean", children)

    def words(self, children: list[Token]) -> Node:
        return _value("words", children)


def _start(token: Token) -> int:
    return token.start_pos or 0


def _value(kind: str, tokens: list[Token]) -> Value:
    return Value(_start(tokens[0]), 1, kind, " ".join(tokens))


_SHOWN = {
    "DOT": "'.'",
    "LPAR": "'('",
    "RPAR": "')'",
    "COMMA": "','",
    "SYMBOL": "a comparison such as '=' or '>='",
    "_AND": "AND",
    "_OR": "OR",
    "NOT": "NOT",
    "$END": "the end of the rule",
}
_VALUE_TOKENS = frozenset({"STRING", "NUMBER", "INSTANT", "TRUE", "FALSE"})
_CURLY_QUOTES = "\u2018\u2019\u201c\u201d"
_HINTS = dict.fromkeys(_CURLY_QUOTES, "straight quotes: ' or \"") | {
    "&": "AND",
    "|": "OR",
    "!": "NOT, or != between two values",
    "#": "-- before a comment",
    "/": "-- before a comment",
    "[": "the values in round brackets, such as one_of('S', 'M')",
}


def _describe(text: str, origin: Origin, error: UnexpectedInput) -> Problem:
    if isinstance(error, UnexpectedCharacters):
        offset = cast(int, error.pos_in_stream)
        character = text[offset]
        if character in "'\"":
            message, expected = "this text has no closing quote", f"a closing {character} on the same line"
        else:
            message = f"unexpected '{character}'"
            expected = _HINTS.get(character, _expected({str(name) for name in error.allowed}))
        return origin.source.problem(origin.position(offset), message, expected)
    assert isinstance(error, UnexpectedToken)  # noqa: S101 - lark raises no third kind on a text
    token = error.token
    expected = _expected({str(name) for name in error.accepts})
    if token.type == "$END":
        blank = not re.sub(r"--[^\n]*", "", text).strip()
        message = "the rule is empty" if blank else "the rule ends too early"
        return origin.source.problem(origin.position(0 if blank else token.end_pos or 0), message, expected)
    return origin.source.problem(origin.position(_start(token)), f"unexpected '{token}'", expected)


def _expected(accepted: set[str]) -> str:
    names: list[str] = []
    if accepted >= _VALUE_TOKENS:
        names.append("an expression such as event('NAME'), trait('NAME') or a value")
        accepted = accepted - {"LPAR", "NOT"}
    elif accepted == {"NAME"}:
        names.append("a function name")
    names += [shown for terminal, shown in _SHOWN.items() if terminal in accepted]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}" if names else ""

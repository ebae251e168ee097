"""Literals of a rule, each with its place: from what was written to the nodes of `ast.py`."""

from __future__ import annotations

import math

from schemas.errors import DefinitionErrors
from transforms.segments.language import ast, literals, syntax
from transforms.segments.language.errors import Origin, closest
from transforms.segments.language.functions import FUNCTIONS

DURATION_USAGE = "a whole number and a unit (seconds, minutes, hours, days, weeks), such as 7 days"


class LiteralNodes:
    """The part of a rule's parse that needs nothing but the place of a node."""

    def __init__(self, origin: Origin) -> None:
        self._origin = origin

    def _at(self, node: syntax.Node) -> ast.Position:
        return self._origin.position(node.offset)

    def _wrong(
        self, place: syntax.Node | int, message: str, expected: str = "", suggestion: str = ""
    ) -> DefinitionErrors:
        position = self._origin.position(place if isinstance(place, int) else place.offset)
        return DefinitionErrors([self._origin.source.problem(position, message, expected, suggestion)])

    def _literal(self, node: syntax.Value) -> ast.Scalar:
        position = self._at(node)
        if node.kind == "text":
            return ast.Literal(literals.unquote(node.text), position)
        if node.kind == "boolean":
            return ast.Literal(node.text.lower() == "true", position)
        if node.kind == "number":
            return self._number(node, position)
        if node.kind == "instant":
            return self._instant(node, node.text)
        if node.text in FUNCTIONS:
            raise self._wrong(node, f"{node.text} needs brackets", FUNCTIONS[node.text].usage)
        if node.text.lower() in ("null", "none", "undefined"):
            raise self._wrong(
                node, f"there is no value {node.text}", ".absent() or .exists() after what may be missing"
            )
        raise self._wrong(node, f"unknown word '{node.text}'", f"text in quotes: {literals.quote(node.text)}")

    def _number(self, node: syntax.Value, position: ast.Position) -> ast.Literal:
        if node.text.lstrip("-").isdigit() and len(node.text) < 20:
            return ast.Literal(int(node.text), position)
        number = float(node.text)
        if math.isinf(number):
            raise self._wrong(node, "this number is too large")
        return ast.Literal(number, position)

    def _instant(self, node: syntax.Node, text: str) -> ast.Instant:
        try:
            return ast.Instant(literals.parse_instant(text), text, self._at(node))
        except ValueError as error:
            expected = "an ISO 8601 date such as 2027-01-31 or 2027-01-31T09:00:00Z"
            raise self._wrong(node, str(error), expected) from None

    def _duration_literal(self, node: syntax.DurationValue) -> ast.Duration:
        try:
            return ast.Duration(literals.to_microseconds(node.number, node.unit), self._at(node))
        except ValueError as error:
            known = node.unit.lower().removesuffix("s") in literals.UNITS
            place = node.offset if known else node.unit_offset
            suggestion = "" if known else closest(node.unit, literals.UNIT_NAMES)
            raise self._wrong(place, str(error), DURATION_USAGE, suggestion) from None

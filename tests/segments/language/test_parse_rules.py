"""What rules say: text -> syntax tree."""

import pytest

from schemas.errors import DefinitionErrors
from transforms.segments.language import ast
from transforms.segments.language.ast import Compare, Field, Literal, Reduced, Stream, Trait, Where, Window
from transforms.segments.language.literals import UNITS
from transforms.segments.language.parser import parse_condition, parse_scalar

HOUR, DAY = UNITS["hour"], UNITS["day"]
SHOES = Stream("track", "Shoes Bought")


def exactly(node: object) -> str:
    """Python takes 1 for True and for 1.0; the text of a node does not."""
    return repr(node)


REFERENCE_CONDITIONS = [
    "event('Shoes Bought').where(property('price') >= 100).within(7 days).count() >= 1",
    """event('Shoes Bought').where(property('price') >= trait('avg_spend')
        AND event('Shoes Returned').within(parent: 5 days).count() >= 1).within(30 days).count() >= 1""",
    "NOT (event('Shoes Bought').count() >= 1 AND trait('total_spend') > 200)",
    "trait('city') = 'New York' AND event('Order Completed').within(30 days).count() >= 1",
    """event('Order Completed').between(30 days, 90 days).count() >= 1
        AND event('Order Completed').within(30 days).count() = 0""",
    "event('Order Completed').within(90 days).sum(property('revenue')) > 500",
    "event('Product Viewed').within(7 days).unique(property('category')).count() >= 3",
    "trait('last_purchase_at').within_last(30 days)",
    """event('Checkout Started').where(event('Order Completed').within(parent: 1 hour).count() = 0)
        .between(1 hour, 24 hours).count() >= 1""",
    """event('Product Viewed').where(
        event('Order Completed')
          .where(property('products.$.product_id') = property(parent: 'product_id'))
          .within(parent: 24 hours).count() = 0
      ).within(24 hours).count() >= 1""",
]
REFERENCE_SCALARS = [
    "event('Order Completed').last_at()                                  -- a computed trait",
    "event('Product Viewed').within(30 days).mode(property('category'), 2)   -- a computed trait",
]


@pytest.mark.parametrize("text", REFERENCE_CONDITIONS)
def test_conditions_of_the_language_reference(text: str) -> None:
    assert isinstance(parse_condition(text), ast.Condition)


@pytest.mark.parametrize("text", REFERENCE_SCALARS)
def test_scalars_of_the_language_reference(text: str) -> None:
    assert isinstance(parse_scalar(text), Reduced)


def test_a_funnel() -> None:
    returned = Stream("track", "Shoes Returned", (ast.ParentWindow(0, 5 * DAY, excludes_parent=True),))
    assert parse_condition(REFERENCE_CONDITIONS[1]) == Compare(
        "at_least",
        Reduced(
            Stream(
                "track",
                "Shoes Bought",
                (
                    Where(
                        ast.And(
                            (
                                Compare("at_least", Field("properties", "price"), (Trait("avg_spend"),)),
                                Compare("at_least", Reduced(returned, "count"), (Literal(1),)),
                            )
                        )
                    ),
                    Window(0, 30 * DAY),
                ),
            ),
            "count",
        ),
        (Literal(1),),
    )


@pytest.mark.parametrize(
    ("symbol", "name"),
    [
        ("=", "equals"),
        ("==", "equals"),
        ("!=", "differs"),
        (">", "greater_than"),
        (">=", "at_least"),
        ("<", "less_than"),
        ("<=", "at_most"),
    ],
)
def test_a_symbol_is_its_function(symbol: str, name: str) -> None:
    expected = Compare(name, Trait("age"), (Literal(18),))
    assert parse_condition(f"trait('age') {symbol} 18") == expected
    assert parse_condition(f"trait('age').{name}(18)") == expected


@pytest.mark.parametrize(
    ("text", "operator", "arguments"),
    [
        ("absent()", "absent", ()),
        ("exists()", "exists", ()),
        ("contains('a', 'b')", "contains", (Literal("a"), Literal("b"))),
        ("omits('a')", "omits", (Literal("a"),)),
        ("starts_with('a')", "starts_with", (Literal("a"),)),
        ("ends_with('a')", "ends_with", (Literal("a"),)),
        ("one_of('a', 1, true)", "one_of", (Literal("a"), Literal(1), Literal(True))),
        ("none_of('a')", "none_of", (Literal("a"),)),
        ("before_date(2027-01-31)", "before_date", (ast.Instant(1801353600000000, "2027-01-31"),)),
        ("after_date('2027-01-31')", "after_date", (ast.Instant(1801353600000000, "2027-01-31"),)),
        ("within_last(7 days)", "within_last", (ast.Duration(7 * DAY),)),
        ("within_next(1 week)", "within_next", (ast.Duration(7 * DAY),)),
        ("before_last(7 days)", "before_last", (ast.Duration(7 * DAY),)),
        ("after_next(0 days)", "after_next", (ast.Duration(0),)),
    ],
)
def test_comparators_by_name(text: str, operator: str, arguments: tuple[ast.Scalar, ...]) -> None:
    assert exactly(parse_condition(f"trait('x').{text}")) == exactly(Compare(operator, Trait("x"), arguments))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5),
        ("-5", -5),
        ("5.0", 5.0),
        ("-0.25", -0.25),
        ("1e3", 1000.0),
        ("true", True),
        ("FALSE", False),
        ("'5'", "5"),
        ('"New York"', "New York"),
        (r"'it\'s'", "it's"),
        (r'"say \"hi\""', 'say "hi"'),
        (r"'a\\b'", "a\\b"),
        (r"'line\nline\ttab'", "line\nline\ttab"),
        (r"'a\.b'", r"a\.b"),
        ("'-- no comment'", "-- no comment"),
        ("''", ""),
        ("literal(100)", 100),
        ("literal('text')", "text"),
    ],
)
def test_literals_keep_their_type(text: str, value: str | float | bool) -> None:
    condition = parse_condition(f"trait('x') = {text}")
    assert exactly(condition) == exactly(Compare("equals", Trait("x"), (Literal(value),)))


@pytest.mark.parametrize(
    ("text", "microseconds"),
    [
        ("2023-12-07", 1701907200000000),
        ("2023-12-07T18:50:00Z", 1701975000000000),
        ("2023-12-07T18:50", 1701975000000000),
        ("2023-12-07T18:50:00.000001Z", 1701975000000001),
        ("2023-12-07T18:50:00+01:00", 1701971400000000),
        ("2023-12-07T18:50:00-0530", 1701994800000000),
    ],
)
def test_dates_are_utc_unless_they_say_otherwise(text: str, microseconds: int) -> None:
    for written in (text, f"'{text}'", f"literal({text})"):
        condition = parse_condition(f"trait('x').after_date({written})")
        assert condition == Compare("after_date", Trait("x"), (ast.Instant(microseconds, text),))


@pytest.mark.parametrize(("unit", "microseconds"), UNITS.items())
def test_units(unit: str, microseconds: int) -> None:
    for text, count in ((f"1 {unit}", 1), (f"3 {unit}s", 3), (f"2{unit}s", 2)):
        assert parse_condition(f"trait('x').within_last({text})") == Compare(
            "within_last", Trait("x"), (ast.Duration(count * microseconds),)
        )


@pytest.mark.parametrize(
    ("text", "filters"),
    [
        ("within(7 days)", Window(0, 7 * DAY)),
        ("between(1 hour, 24 hours)", Window(HOUR, DAY)),
        ("between(0 hours, 24 hours)", Window(0, DAY)),
    ],
)
def test_windows(text: str, filters: Window) -> None:
    assert parse_scalar(f"event('A').{text}.count()") == Reduced(Stream("track", "A", (filters,)), "count")


@pytest.mark.parametrize(
    ("text", "window"),
    [
        ("within(parent: 1 hour)", ast.ParentWindow(0, HOUR, excludes_parent=True)),
        ("between(parent: 1 hour, 2 hours)", ast.ParentWindow(HOUR, 2 * HOUR, excludes_parent=False)),
        ("between(parent: 0 hours, 2 hours)", ast.ParentWindow(0, 2 * HOUR, excludes_parent=False)),
    ],
)
def test_windows_on_the_parent(text: str, window: ast.ParentWindow) -> None:
    inner = Compare("equals", Reduced(Stream("track", "B", (window,)), "count"), (Literal(0),))
    expected = Reduced(Stream("track", "A", (Where(inner),)), "count")
    assert parse_scalar(f"event('A').where(event('B').{text}.count() = 0).count()") == expected


@pytest.mark.parametrize(
    ("text", "reduced"),
    [
        ("count()", Reduced(SHOES, "count")),
        ("sum(property('p'))", Reduced(SHOES, "sum", Field("properties", "p"))),
        ("avg(context('p'))", Reduced(SHOES, "avg", Field("context", "p"))),
        ("max(property('p'))", Reduced(SHOES, "max", Field("properties", "p"))),
        ("max(property('p') as string)", Reduced(SHOES, "max", Field("properties", "p"), "string")),
        ("min(property('p') as number)", Reduced(SHOES, "min", Field("properties", "p"), "number")),
        ("mode(property('p'))", Reduced(SHOES, "mode", Field("properties", "p"))),
        ("mode(property('p'), 2)", Reduced(SHOES, "mode", Field("properties", "p"), min_frequency=2)),
        ("mode(property('p') as array, 2)", Reduced(SHOES, "mode", Field("properties", "p"), "array", 2)),
        ("first(property('p'))", Reduced(SHOES, "first", Field("properties", "p"))),
        ("last(property('p'))", Reduced(SHOES, "last", Field("properties", "p"))),
        ("unique(property('p'))", Reduced(SHOES, "unique", Field("properties", "p"))),
        ("unique(property('p')).count()", Reduced(SHOES, "unique_count", Field("properties", "p"))),
        ("first_at()", Reduced(SHOES, "first_at")),
        ("last_at()", Reduced(SHOES, "last_at")),
    ],
)
def test_reducers(text: str, reduced: Reduced) -> None:
    assert parse_scalar(f"event('Shoes Bought').{text}") == reduced


@pytest.mark.parametrize(
    ("text", "scalar"),
    [
        ("page('Home').count()", Reduced(Stream("page", "Home"), "count")),
        ("screen('').count()", Reduced(Stream("screen", ""), "count")),
        ("trait('address.city')", Trait("address.city")),
        ("percent('salt')", ast.Percent("salt")),
        ("(trait('x'))", Trait("x")),
    ],
)
def test_extractors(text: str, scalar: ast.Scalar) -> None:
    assert parse_scalar(text) == scalar


A, B, C = (Compare("equals", Trait(name), (Literal(1),)) for name in "abc")


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("a AND b OR c", ast.Or((ast.And((A, B)), C))),
        ("a OR b AND c", ast.Or((A, ast.And((B, C))))),
        ("(a OR b) and c", ast.And((ast.Or((A, B)), C))),
        ("NOT a AND b", ast.And((ast.Not(A), B))),
        ("not not (a Or b)", ast.Not(ast.Not(ast.Or((A, B))))),
        ("a AND b AND c", ast.And((A, B, C))),
        ("a AND -- the first, and b\n b", ast.And((A, B))),
    ],
)
def test_junctions(text: str, tree: ast.Condition) -> None:
    for name in "abc":
        text = text.replace(f"{name} ", f"trait('{name}') = 1 ")
        text = text.replace(f"{name})", f"trait('{name}') = 1)")
        text = text[:-1] + f"trait('{name}') = 1" if text.endswith(name) else text
    assert parse_condition(text.replace("the first, and trait('b') = 1", "the first")) == tree


@pytest.mark.parametrize(
    "text",
    [
        "trait('x').equals('y').held_for(7 days)",
        "trait('x') = 'y'.held_for(7 days)",
        "(trait('x') = 'y').held_for(7 days)",
    ],
)
def test_held_for(text: str) -> None:
    assert parse_condition(text) == ast.HeldFor(Compare("equals", Trait("x"), (Literal("y"),)), 7 * DAY)


def test_the_right_side_may_be_any_value() -> None:
    right = Reduced(Stream("track", "B"), "count")
    assert parse_condition("trait('x') >= event('B').count()") == Compare("at_least", Trait("x"), (right,))
    assert parse_condition("trait('x').at_least(trait('y'))") == Compare("at_least", Trait("x"), (Trait("y"),))


def test_nodes_know_their_places() -> None:
    condition = parse_condition("NOT trait('a') = 1\n  AND event('B')\n    .count() >= 2")
    assert isinstance(condition, ast.And)
    negation, comparison = condition.items
    assert isinstance(negation, ast.Not)
    assert isinstance(comparison, Compare)
    assert isinstance(comparison.left, Reduced)
    assert negation.position == ast.Position(1, 1)
    assert comparison.position == ast.Position(3, 14)
    assert comparison.left.position == ast.Position(3, 6)
    assert comparison.left.stream.position == ast.Position(2, 7)
    assert comparison.arguments[0].position == ast.Position(3, 17)


def test_positions_take_no_part_in_equality() -> None:
    assert parse_condition("trait('a')=1") == parse_condition("\n\n  trait( 'a' )  =  1")


def test_fifty_expressions_and_no_more() -> None:
    one = "event('A').where(property('x') = 1 AND property('y') = 2).count() >= 1"
    parse_condition(" OR ".join([one] * 50))
    with pytest.raises(DefinitionErrors, match="the rule has 51 expressions"):
        parse_condition(" OR\n".join([one] * 51))


def test_depth_is_limited_before_python_is() -> None:
    parse_condition("(" * 500 + "trait('a') = 1" + ")" * 500)
    with pytest.raises(DefinitionErrors, match="nests more than 100 levels"):
        parse_condition("NOT " * 5000 + "trait('a') = 1")

"""Random rules that pass the checker: every construct of the language, small ones more often."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal as OneOf

from tests.strategies.choices import Choices
from tests.strategies.worlds import GRID_US, PRODUCTS, SPAN, START_US, TRACKS
from transforms.segments.language import ast

NUMBER_OPERATORS = ("at_least", "greater_than", "equals", "at_most", "less_than", "differs")
TEXT_OPERATORS = ("equals", "differs", "contains", "omits", "starts_with", "ends_with", "one_of", "none_of")
RELATIVE_OPERATORS = ("within_last", "within_next", "before_last", "after_next")
TEXTS = ("shoes", "p1", "hats", "5", "York", "true", "sho", "p", "Lima", "e", "PE", "mobile")
VISITS = ("sessions", "time_spent")
TEXT_COLUMNS = ("city", "country", "phone", "device_type", "city")
DATE_COLUMNS = ("signed_up_at", "birthday")
NUMBER_PATHS = ("price", "products.$.price")
TEXT_PATHS = ("category", "product_id", "products.$.product_id", "tags.$", "tags")


@dataclass(frozen=True)
class Names:
    """What a rule may refer to, and where it stands: `depth` streams enclose it."""

    number_traits: tuple[str, ...] = ()
    text_traits: tuple[str, ...] = ()
    date_traits: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()
    depth: int = 0
    of_account: bool = False

    def inside(self) -> Names:
        """The names inside a `where`."""
        return replace(self, depth=self.depth + 1)


def duration(choices: Choices) -> int:
    """A length of 1 to 12 steps of the grid, in microseconds, short ones more often."""
    return choices.pick((1, 2, 3, 4, 5, 6, 8, 10, 12, 16)) * GRID_US


def bounds(choices: Choices) -> tuple[int, int]:
    """Start and end of a between."""
    start = choices.pick((1, 0, 2, 3, 6))
    return start * GRID_US, (start + choices.pick((1, 2, 4, 6, 12))) * GRID_US


# --- streams ---------------------------------------------------------------------------------------------------------


def stream(choices: Choices, names: Names) -> ast.Stream:
    """A stream with up to three filters."""
    filters = tuple(_filter(choices, names) for _ in range(choices.pick((0, 1, 1, 1, 0, 1, 2, 2, 3))))
    if choices.chance(8):
        return ast.Stream(choices.pick(("page", "screen")), "Home", filters)
    if choices.chance(12):
        return ast.Stream(choices.pick(("activity", "track", "page", "screen")), None, filters)
    return ast.Stream("track", choices.pick(TRACKS), filters)


def _filter(choices: Choices, names: Names) -> ast.Where | ast.Window | ast.ParentWindow:
    kind = choices.number(0, 9)
    if names.depth and kind in (4, 5, 6):
        if choices.chance(40):
            return ast.ParentWindow(*bounds(choices), excludes_parent=False)
        return ast.ParentWindow(0, duration(choices), excludes_parent=True)
    if kind <= 2:
        return ast.Window(0, duration(choices))
    if kind <= 4 or names.depth >= 2:
        return ast.Window(*bounds(choices))
    return ast.Where(condition(choices, names.inside(), size=1))


def field(choices: Choices, names: Names, paths: tuple[str, ...]) -> ast.Field:
    """A property of the event at hand, or of the enclosing one."""
    return ast.Field("properties", choices.pick(paths), parent=names.depth > 1 and choices.chance(40))


def _operand(choices: Choices, names: Names, paths: tuple[str, ...]) -> ast.Field:
    return ast.Field("properties", choices.pick(paths), parent=names.depth > 0 and choices.chance(5))


# --- scalars ---------------------------------------------------------------------------------------------------------


def number_scalar(choices: Choices, names: Names) -> ast.Scalar:
    """A scalar that is a number."""
    kind = choices.number(0, 19)
    if kind == 19:
        return ast.Percent(choices.pick(("holdout", "test")))
    if kind == 18 and names.number_traits:
        return ast.ComputedTrait(choices.pick(names.number_traits))
    if kind >= 16:
        return ast.Column("age") if choices.chance(30) and not names.of_account else ast.Trait("age")
    if kind >= 13 and names.depth:
        return field(choices, names, NUMBER_PATHS)
    return number_reduced(choices, names)


def number_reduced(choices: Choices, names: Names) -> ast.Reduced:
    """A stream brought down to a number."""
    reducer = choices.pick(("count",) * 6 + ("sum", "avg", "max", "min", "unique_count", "mode", "sum", "max", *VISITS))
    source = stream(choices, names)
    if reducer in VISITS:
        return ast.Reduced(source, reducer, ast.Duration(duration(choices)))
    if reducer == "count":
        return ast.Reduced(source, "count")
    paths = TEXT_PATHS if reducer == "unique_count" else NUMBER_PATHS
    if reducer == "mode":
        return ast.Reduced(source, "mode", _operand(choices, names, paths), "number", choices.pick((None, 1, 2)))
    cast: OneOf["number"] | None = "number" if reducer in ("max", "min") and choices.chance(50) else None
    return ast.Reduced(source, reducer, _operand(choices, names, paths), cast)


def text_scalar(choices: Choices, names: Names) -> ast.Scalar:
    """A scalar that is a string, or anything."""
    kind = choices.number(0, 11)
    if names.depth and kind <= 5:
        return field(choices, names, TEXT_PATHS)
    if kind == 11 and names.text_traits:
        return ast.ComputedTrait(choices.pick(names.text_traits))
    if kind == 10:
        return ast.Field("context", "device.type") if names.depth else ast.Trait("tags.$")
    if kind >= 7:
        return text_reduced(choices, names)
    if choices.chance(35) and not names.of_account:
        return ast.Column(choices.pick(TEXT_COLUMNS))
    return ast.Trait(choices.pick(("city", "city", "address.city", "vip", "tags")))


def text_reduced(choices: Choices, names: Names) -> ast.Reduced:
    """A stream brought down to a string, or to the value of a property."""
    reducer = choices.pick(("last", "first", "mode", "max", "min"))
    operand = _operand(choices, names, TEXT_PATHS[:4])
    source = stream(choices, names)
    if reducer == "mode":
        cast: OneOf["string"] | None = "string" if choices.chance(50) else None
        return ast.Reduced(source, "mode", operand, cast, choices.pick((None, 1, 2, 3)))
    return ast.Reduced(source, reducer, operand, "string" if reducer in ("max", "min") else None)


def date_scalar(choices: Choices, names: Names) -> ast.Scalar:
    """A scalar that is a date."""
    kind = choices.number(0, 9)
    if kind <= 2:
        return _date_column(choices, names)
    if kind == 3 and names.date_traits:
        return ast.ComputedTrait(choices.pick(names.date_traits))
    if kind <= 5 and names.depth:
        return field(choices, names, ("due",))
    return date_reduced(choices, names)


def _date_column(choices: Choices, names: Names) -> ast.Scalar:
    if choices.chance(35) and not names.of_account:
        return ast.Column(choices.pick(DATE_COLUMNS))
    return ast.Trait("renewal")


def date_reduced(choices: Choices, names: Names) -> ast.Reduced:
    """A stream brought down to a date."""
    if choices.chance(25):
        return ast.Reduced(stream(choices, names), choices.pick(("first", "last")), ast.Field("properties", "due"))
    return ast.Reduced(stream(choices, names), choices.pick(("last_at", "first_at")))


# --- conditions ------------------------------------------------------------------------------------------------------


def condition(choices: Choices, names: Names, size: int = 2) -> ast.Condition:
    """A condition; `size` bounds how deep its junctions go."""
    kind = choices.number(0, 11)
    if size and kind >= 8:
        if kind == 11:
            return ast.Not(condition(choices, names, size - 1))
        items = tuple(condition(choices, names, size - 1) for _ in range(choices.pick((2, 2, 3))))
        return ast.And(items) if kind < 10 else ast.Or(items)
    if kind == 7 and choices.chance(60):
        return ast.HeldFor(trait_comparison(choices, names), duration(choices))
    return comparison(choices, names)


def trait_comparison(choices: Choices, names: Names) -> ast.Compare:
    """A comparison of a trait, which may be held for some time."""
    names = replace(names, depth=0)  # what is held for some time is a matter of the profile, not of an event
    computed = names.number_traits + names.date_traits
    kind = choices.number(0, 9)
    if kind >= 7 and computed:
        name = choices.pick(computed)
        left = ast.ComputedTrait(name)
        return number_comparison(choices, names, left) if name in names.number_traits else dated(choices, names, left)
    if kind >= 5:
        return dated(choices, names, ast.Trait("renewal"))
    if kind == 3 and not names.of_account:
        return text_comparison(choices, names, ast.Column(choices.pick(TEXT_COLUMNS)))
    if kind == 4:
        return number_comparison(choices, names, ast.Trait("age"))
    return text_comparison(choices, names, ast.Trait(choices.pick(("city", "vip", "address.city"))))


def comparison(choices: Choices, names: Names) -> ast.Compare:
    """A comparison of any kind."""
    kind = choices.number(0, 19)
    if kind >= 18 and names.segments:
        return ast.Compare(
            "equals", ast.Membership(choices.pick(names.segments)), (ast.Literal(not choices.chance(25)),)
        )
    if kind == 17:
        return list_comparison(choices, names)
    if kind >= 13:
        return dated(choices, names, date_scalar(choices, names))
    if kind >= 8:
        return text_comparison(choices, names, text_scalar(choices, names))
    return number_comparison(choices, names, number_scalar(choices, names))


def number_comparison(choices: Choices, names: Names, left: ast.Scalar) -> ast.Compare:
    """A comparison of a number."""
    if choices.chance(6) and not _is_count(left):
        return ast.Compare(choices.pick(("exists", "absent")), left)
    if choices.chance(6):
        literals = tuple(map(ast.Literal, choices.several((0, 1, 2, 10), 1, 2)))
        return ast.Compare(choices.pick(("one_of", "none_of")), left, literals)
    if isinstance(left, ast.Percent):
        return ast.Compare(choices.pick(("less_than", "at_least")), left, (ast.Literal(choices.pick((50, 10, 90))),))
    operator = choices.pick(NUMBER_OPERATORS)
    if choices.chance(15):
        right = field(choices, names, NUMBER_PATHS) if names.depth and choices.chance(70) else ast.Trait("age")
        return ast.Compare(operator, left, (right,))
    value = choices.pick((1, 0, 2, 3) if _is_count(left) else (10, 5, 2, 0, 12.5, 20))
    return ast.Compare(operator, left, (ast.Literal(value),))


def _is_count(scalar: ast.Scalar) -> bool:
    return isinstance(scalar, ast.Reduced) and scalar.reducer in ("count", "unique_count", "sessions")


def text_comparison(choices: Choices, names: Names, left: ast.Scalar) -> ast.Compare:
    """A comparison of a string, or of a value of any type."""
    if choices.chance(10):
        return ast.Compare(choices.pick(("exists", "absent")), left)
    operator = choices.pick(TEXT_OPERATORS)
    if operator in ("equals", "differs") and choices.chance(40):
        return ast.Compare(operator, left, (_right(choices, names),))
    most = 2 if operator in ("contains", "one_of", "none_of") else 1
    return ast.Compare(operator, left, tuple(map(ast.Literal, choices.several(TEXTS, 1, most))))


def _right(choices: Choices, names: Names) -> ast.Scalar:
    kind = choices.number(0, 5)
    if names.depth and kind <= 3:
        return field(choices, names, TEXT_PATHS[:4])
    if kind == 4:
        return ast.Literal(choices.pick((True, 5)))
    return ast.Trait(choices.pick(("city", "address.city")))


def list_comparison(choices: Choices, names: Names) -> ast.Compare:
    """A comparison of a list."""
    if choices.chance(25) and not names.of_account:
        return ast.Compare(choices.pick(("contains", "omits")), ast.Column("tags"), (ast.Literal(choices.pick(TEXTS)),))
    operand = _operand(choices, names, TEXT_PATHS)
    source = stream(choices, names)
    mode = ast.Reduced(source, "mode", ast.Field("properties", "tags"), "array", choices.pick((None, 2)))
    left = mode if choices.chance(25) else ast.Reduced(source, "unique", operand)
    return ast.Compare(choices.pick(("contains", "omits")), left, (ast.Literal(choices.pick(PRODUCTS + TEXTS)),))


def dated(choices: Choices, names: Names, left: ast.Scalar) -> ast.Compare:
    """A comparison of a date."""
    kind = choices.number(0, 9)
    if kind == 9:
        return ast.Compare(choices.pick(("exists", "absent")), left)
    if kind >= 7:
        operator = choices.pick(("before_date", "after_date"))
        right = field(choices, names, ("due",)) if names.depth and choices.chance(30) else ast.Trait("renewal")
        return ast.Compare(operator, left, (right if choices.chance(40) else date_literal(choices),))
    return ast.Compare(choices.pick(RELATIVE_OPERATORS), left, (ast.Duration(duration(choices)),))


def date_literal(choices: Choices) -> ast.Instant:
    """A date as it is written in a rule."""
    hour = choices.number(0, SPAN)
    day, hour_of_day = 5 + hour // 24, hour % 24
    return ast.Instant(START_US + hour * GRID_US, f"2026-01-{day:02}T{hour_of_day:02}:00:00Z")


# --- definitions -----------------------------------------------------------------------------------------------------


def definitions(choices: Choices) -> ast.Definitions:
    """One to three segments and up to two computed traits, what is referred to first."""
    names, traits, segments = Names(), [], []
    for index in range(choices.pick((0, 0, 1, 2))):
        trait, names = _trait(f"t{index + 1}", choices, names)
        traits.append(trait)
    for index in range(choices.pick((1, 1, 1, 2, 3))):
        segments.append(segment(f"s{index + 1}", choices, names))
        names = replace(names, segments=(*names.segments, segments[-1].name))
    if choices.chance(15):
        trait, _ = _trait("t9", choices, names)
        traits.append(trait)
    return ast.Definitions(tuple(segments), tuple(traits))


def _trait(name: str, choices: Choices, names: Names) -> tuple[ast.TraitDefinition, Names]:
    kind = choices.number(0, 3)
    value: ast.Scalar
    if kind == 0:
        value, after = number_reduced(choices, names), replace(names, number_traits=(*names.number_traits, name))
    elif kind == 1:
        value, after = text_reduced(choices, names), replace(names, text_traits=(*names.text_traits, name))
    elif kind == 2:
        value, after = date_reduced(choices, names), replace(names, date_traits=(*names.date_traits, name))
    else:
        operand = ast.Field("properties", choices.pick(TEXT_PATHS))
        value, after = ast.Reduced(stream(choices, names), "unique", operand), names
    return ast.TraitDefinition(name, "A computed trait.", value, version=f"version of {name}"), after


def segment(name: str, choices: Choices, names: Names) -> ast.SegmentDefinition:
    """A segment, now and then with limits, or static."""
    static = choices.chance(4)
    return ast.SegmentDefinition(
        name=name,
        description="A segment.",
        when=None if static else condition(choices, names),
        members=frozenset(choices.several(("u1", "u2"), 0, 2)) if static else None,
        expires=START_US + choices.number(0, SPAN) * GRID_US if choices.chance(12) else None,
        max_membership=duration(choices) if choices.chance(18) else None,
        reentry_after=duration(choices) if choices.chance(18) else None,
        anonymous=not choices.chance(8),
        version=f"version of {name}",
    )


# --- accounts --------------------------------------------------------------------------------------------------------


def with_accounts(choices: Choices, known: ast.Definitions, least: int = 0) -> ast.Definitions:
    """The definitions, now and then with some of accounts."""
    segments, traits = list(known.segments), list(known.traits)
    of_people, of_accounts = Names(), Names(of_account=True)
    for index in range(max(least, choices.pick((0, 1, 1, 2, 2)))):
        when = account_condition(choices, of_people, of_accounts)
        made = replace(segment(f"a{index + 1}", choices, of_accounts), when=when, members=None, anonymous=True)
        segments.append(replace(made, of="accounts"))
        of_accounts = replace(of_accounts, segments=(*of_accounts.segments, made.name))
    if choices.chance(30):
        trait, _ = _trait("at1", choices, Names(of_account=True))
        traits.append(replace(trait, of="accounts"))
    return ast.Definitions(tuple(segments), tuple(traits))


def account_condition(choices: Choices, of_people: Names, of_accounts: Names, size: int = 2) -> ast.Condition:
    """A rule of an account: more often than not it asks the users."""
    kind = choices.number(0, 9)
    if size and kind >= 7:
        if kind == 9:
            return ast.Not(account_condition(choices, of_people, of_accounts, size - 1))
        items = tuple(account_condition(choices, of_people, of_accounts, size - 1) for _ in range(2))
        return ast.And(items) if kind == 7 else ast.Or(items)
    if kind >= 3:
        item = _lively(choices) if choices.chance(50) else condition(choices, of_people, size=1)
        return ast.Quantified(choices.chance(40), item)
    return _lively(choices) if choices.chance(30) else condition(choices, of_accounts, size=0)


def _lively(choices: Choices) -> ast.Condition:
    """Something that is often true for a while."""
    if choices.chance(25):
        return ast.Compare("exists", ast.Trait(choices.pick(("city", "vip", "renewal", "age"))))
    stream = ast.Stream("activity", None, (ast.Window(*choices.pick(((0, duration(choices)), bounds(choices)))),))
    counted = ast.Compare("at_least", ast.Reduced(stream, "count"), (ast.Literal(choices.pick((1, 1, 2))),))
    return ast.Not(counted) if choices.chance(30) else counted

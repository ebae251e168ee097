"""What is said about a wrong rule: where, what, what was expected, and what was probably meant."""

import textwrap

import pytest

from schemas.errors import DefinitionErrors
from transforms.segments.language.errors import Origin, SourceFile
from transforms.segments.language.functions import named
from transforms.segments.language.kinds import Filter
from transforms.segments.language.parser import parse_condition, parse_scalar
from transforms.segments.reducers import Reducer


def errors_of(text: str) -> str:
    with pytest.raises(DefinitionErrors) as caught:
        parse_condition(text, "segments/x.yaml")
    return str(caught.value)


def shown(text: str) -> str:
    return textwrap.dedent(text).strip("\n")


def test_an_error_in_full() -> None:
    text = "event('Order Completed')\n  .within(7 dais).count() >= 1"
    assert errors_of(text) == shown("""
        segments/x.yaml:2:13: unknown unit 'dais'
              .within(7 dais).count() >= 1
                        ^
            expected a whole number and a unit (seconds, minutes, hours, days, weeks), such as 7 days
            did you mean 'days'?
    """)


def test_all_errors_of_a_rule_at_once() -> None:
    text = "evnt('A').count() = 1 AND event('B').cont() = 2 OR event('C') = 3"
    assert errors_of(text) == shown(f"""
        segments/x.yaml:1:1: unknown function 'evnt'
            {text}
            ^
            expected one of event, page, screen, activity, trait, profile, property, context, literal, percent
            did you mean 'event'?

        segments/x.yaml:1:38: unknown function 'cont'
            {text}
            {" " * 37}^
            expected one of {", ".join(named(Filter, Reducer))}
            did you mean 'count'?

        segments/x.yaml:1:52: a list of events is not a value
            {text}
            {" " * 51}^
            expected a reducer after it, such as .count()
    """)


def test_tabs_stay_tabs_so_that_the_caret_stands_below_its_character() -> None:
    assert errors_of("\ttrait('x')\t= y").splitlines()[1:3] == ["    \ttrait('x')\t= y", "    \t          \t  ^"]


VALUE = "an expression such as event('NAME'), trait('NAME') or a value"

# rule -> column, message, expected, did you mean
WRONG = {
    # text that is no rule
    "": (1, "the rule is empty", VALUE, ""),
    "-- nothing": (1, "the rule is empty", VALUE, ""),
    "event('A').count() >=": (22, "the rule ends too early", VALUE, ""),
    "event('A').": (12, "the rule ends too early", "a function name", ""),
    "(trait('a') = 1": (16, "the rule ends too early", "')'", ""),
    "event('A": (7, "this text has no closing quote", "a closing ' on the same line", ""),
    "event(\u2018A\u2019)": (7, "unexpected '\u2018'", "straight quotes: ' or \"", ""),
    "a = 1 && b = 2": (7, "unexpected '&'", "AND", ""),
    "trait('a') = 1 # note": (16, "unexpected '#'", "-- before a comment", ""),
    "trait('a').one_of(['x'])": (
        19,
        "unexpected '['",
        "the values in round brackets, such as one_of('S', 'M')",
        "",
    ),
    "trait('a') = 1 trait('b') = 2": (16, "unexpected 'trait'", "'.', AND, OR or the end of the rule", ""),
    "trait('a') = 1 = 2": (16, "unexpected '='", "AND, OR or the end of the rule", ""),
    # words
    "trait('a') = paid": (14, "unknown word 'paid'", "text in quotes: 'paid'", ""),
    "trait('a') = New York": (14, "unknown word 'New York'", "text in quotes: 'New York'", ""),
    "trait('a') = null": (14, "there is no value null", ".absent() or .exists() after what may be missing", ""),
    "trait('a') = percent": (14, "percent needs brackets", "percent('salt')", ""),
    # functions that do not exist
    "Event('A').count() = 1": (
        1,
        "unknown function 'Event'",
        "one of event, page, screen, activity, trait, profile, property, context, literal, percent",
        "'event'",
    ),
    "trait('a').equal('b')": (
        12,
        "unknown function 'equal'",
        "one of equals, differs, greater_than, at_least, less_than, at_most, absent, exists, contains, omits, "
        "starts_with, ends_with, one_of, none_of, before_date, after_date, within_last, within_next, before_last, "
        "after_next",
        "'equals'",
    ),
    "trait('a').exists().heldfor(1 day)": (21, "unknown function 'heldfor'", "one of held_for", "'held_for'"),
    "entity('a').count() = 1": (
        1,
        "entity() belongs to Segment's linked audiences; Tidemark has events and traits only",
        "",
        "",
    ),
    "event('a').sources('b').count() = 1": (
        12,
        "sources() filters by Segment source ids, which events do not carry here",
        "",
        "",
    ),
    # functions where they have no meaning
    "count() >= 1": (1, "count() follows an expression; it cannot start one", "event('NAME').count()", ""),
    "equals(1)": (
        1,
        "equals() follows an expression; it cannot start one",
        "a value before it, such as trait('NAME').equals(5)",
        "",
    ),
    "trait('a').event('b') = 1": (12, "event() starts an expression; it cannot follow another", "", ""),
    "trait('a').count() = 1": (12, "count() works on events; this is a value", "event('NAME') before it", ""),
    "trait('a').within(7 days)": (
        12,
        "within() works on events; this is a value",
        "event('NAME') before it",
        "'within_last'",
    ),
    "event('A').count().within(7 days) = 1": (
        20,
        "within() works on events; count() has already made one value of them",
        "within(7 days) or within(parent: 1 hour) before count()",
        "",
    ),
    "event('A').within_last(7 days)": (
        12,
        "within_last() compares a value; a list of events is none",
        ".last_at() before it, or within(7 days)",
        "",
    ),
    "event('A').equals(7)": (
        12,
        "equals() compares a value; a list of events is none",
        "a reducer before it, such as .count()",
        "",
    ),
    "trait('a').exists().equals(true)": (
        21,
        "the comparison is complete; equals() cannot follow it",
        "AND, OR or nothing",
        "",
    ),
    "event('A').held_for(1 day)": (
        12,
        "held_for() follows a comparison",
        "trait('status').equals('gold').held_for(7 days)",
        "",
    ),
    "event('A')": (
        1,
        "a list of events is neither true nor false",
        "a comparison, such as .count() >= 1",
        "",
    ),
    "trait('a')": (
        1,
        "a value is neither true nor false",
        "a comparison, such as = 'Paris', >= 1 or .exists()",
        "",
    ),
    "(trait('a') = 1) = true": (
        2,
        "a comparison is true or false, and not a value",
        "a value, such as event('NAME').count()",
        "",
    ),
    # arguments
    "event(5).count() = 1": (7, "event() takes a name in quotes", "event('NAME')", ""),
    "event('').count() = 1": (7, "event() needs a name", "event('NAME')", ""),
    "event('A', 'B').count() = 1": (1, "event() takes one argument, not 2", "event('NAME')", ""),
    "trait(parent: 'A') = 1": (
        7,
        "'parent:' has no meaning here",
        "parent: in property, context, within or between",
        "",
    ),
    "trait('a' as string) = 1": (14, "'as string' has no meaning here", "as in max, min and mode", ""),
    "event('A').where().count() = 1": (
        12,
        "where() takes one condition, not 0",
        "AND or OR between conditions",
        "",
    ),
    "event('A').count(1) = 1": (12, "count() takes no argument, not 1 arguments", "count()", ""),
    "event('A').sum() = 1": (12, "sum() takes a property, not 0 arguments", "sum(property('path'))", ""),
    "event('A').sum('price') = 1": (16, "sum() takes a property of the event", "sum(property('path'))", ""),
    "event('A').sum(property('x') as number) = 1": (33, "sum() takes no 'as'", "sum(property('path'))", ""),
    "event('A').max(property('x') as array) = 1": (33, "unknown type 'array'", "as number or as string", ""),
    "event('A').mode(property('x'), 0) = 1": (
        32,
        "the least frequency is a whole number from 1",
        "mode(property('path'), 2)",
        "",
    ),
    "event('A').unique(property('x')).count(1) = 1": (34, "count() takes no argument", "", ""),
    "literal(trait('a')) = 1": (
        1,
        "literal() takes a plain value",
        "literal('text'), literal(100) or literal(2027-01-31)",
        "",
    ),
    "trait('a').contains()": (12, "contains() takes at least one argument, not 0", "", ""),
    "trait('a').omits('a', 'b')": (12, "omits() takes one argument, not 2", "", ""),
    "trait('a').exists(1)": (12, "exists() takes no argument", "", ""),
    # numbers, durations, dates
    "trait('a') = 1e999": (14, "this number is too large", "", ""),
    "trait('a') = 7 days": (
        14,
        "a duration is not a value to compare with",
        "a value; ages of dates are compared with within_last, before_last and the like",
        "",
    ),
    "trait('a').after_date(2027-02-30)": (
        23,
        "'2027-02-30' is not a date or date-time",
        "an ISO 8601 date such as 2027-01-31 or 2027-01-31T09:00:00Z",
        "",
    ),
    "trait('a').after_date('soon')": (
        23,
        "'soon' is not a date or date-time",
        "an ISO 8601 date such as 2027-01-31 or 2027-01-31T09:00:00Z",
        "",
    ),
}
DURATION = "a whole number and a unit (seconds, minutes, hours, days, weeks), such as 7 days"
WRONG |= {
    f"event('A').{call}.count() = 1": (column, message, expected, suggestion)
    for call, column, message, expected, suggestion in (
        ("within('7 days')", 19, "a duration is written without quotes", DURATION, ""),
        ("within(7)", 19, "this number has no unit", DURATION, ""),
        ("within(trait('d'))", 19, "this is no duration", DURATION, ""),
        ("within(1 month)", 21, "unknown unit 'month'", DURATION, ""),
        ("within(1.5 days)", 19, "a duration is a whole number of days, not 1.5", DURATION, ""),
        ("within(-1 days)", 19, "a duration is a whole number of days, not -1", DURATION, ""),
        ("within(99999999 weeks)", 19, "a duration is at most 1000 years", DURATION, ""),
        ("within(0 days)", 12, "a window of no length holds nothing", "a longer duration", ""),
        ("between(2 days, 1 day)", 12, "the window ends before it starts", "between(shorter, longer)", ""),
        (
            "between(1 day)",
            12,
            "between() takes two durations, not 1",
            "between(1 day, 7 days) or between(parent: 1 hour, 2 hours)",
            "",
        ),
        (
            "within(child: 1 day)",
            19,
            "'child:' has no meaning here",
            "parent: in property, context, within or between",
            "",
        ),
    )
}


@pytest.mark.parametrize("rule", WRONG)
def test_wrong_rules(rule: str) -> None:
    column, message, expected, suggestion = WRONG[rule]
    with pytest.raises(DefinitionErrors) as caught:
        parse_condition(rule)
    (problem,) = caught.value.problems
    assert (problem.message, problem.expected, problem.suggestion) == (message, expected, suggestion)
    assert (problem.position.line, problem.position.column) == (1, column)
    if rule.strip():
        assert str(problem).splitlines()[:3] == [
            f"<rule>:1:{column}: {message}",
            "    " + rule,
            " " * (column + 3) + "^",
        ]


def test_a_computed_trait_is_a_value() -> None:
    with pytest.raises(DefinitionErrors, match="a comparison is true or false, and not a value"):
        parse_scalar("event('A').count() >= 1")
    with pytest.raises(DefinitionErrors, match="a list of events is not a value"):
        parse_scalar("event('A').within(1 day)")


def test_places_are_those_of_the_file() -> None:
    source = SourceFile("f.yaml", "when: trait('a') = b\n")
    with pytest.raises(DefinitionErrors, match=r"^f\.yaml:1:20: unknown word 'b'"):
        parse_condition("trait('a') = b", Origin(source, range(6, 20)))

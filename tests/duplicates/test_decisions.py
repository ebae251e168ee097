"""What becomes of suggestions: decided once, asked again only for another reason; alias events that chain nobody."""

import orjson
import pytest

from transforms.duplicates.aliases import Aliases, aliases
from transforms.duplicates.comparisons import COMPARISONS
from transforms.duplicates.person import Person
from transforms.duplicates.suggest import Outcome, Pair, State, Suggestion, decide, evidence_of, suggest

SAME = dict.fromkeys((comparison.name for comparison in COMPARISONS), "same")
PEOPLE = {f"user:{name}": Person(f"user:{name}") for name in "abcd"}


def pair(left: str, right: str, probability: float = 0.99, **levels: str) -> Pair:
    return Pair(f"user:{left}", f"user:{right}", probability, SAME | levels)


def run(pairs: list[Pair], before: tuple[Suggestion, ...] = (), known: str = "abcd") -> Outcome:
    return suggest(pairs, PEOPLE, before, {f"user:{name}" for name in known})


def states(outcome: Outcome) -> list[State]:
    return [row.state for row in outcome.rows]


def decided(state: State, **levels: str) -> tuple[Suggestion, ...]:
    return decide(run([pair("a", "b", **levels)]).rows, {("user:a", "user:b"): state})


def test_no_is_not_asked_again() -> None:
    assert states(run([pair("a", "b")], decided("rejected"))) == ["rejected"]


def test_no_is_asked_again_when_the_evidence_is_another_one() -> None:
    before = decided("rejected", email="different")
    assert states(run([pair("a", "b")], before)) == ["suggested"]


def test_yes_stays_yes() -> None:
    assert states(run([pair("a", "b")], decided("approved", email="different"))) == ["approved"]


def test_what_was_decided_stays_when_it_is_no_longer_found_and_a_suggestion_goes() -> None:
    assert states(run([], decided("rejected"))) == ["rejected"]
    again = run([], run([pair("a", "b")]).rows)
    assert (again.rows, again.gone) == ((), (("user:a", "user:b"),))


def test_nothing_stays_of_somebody_who_was_erased() -> None:
    outcome = run([], decided("approved"), known="a")
    assert (outcome.rows, outcome.gone) == ((), (("user:a", "user:b"),))


def test_evidence_has_no_values_and_says_what_speaks_against() -> None:
    evidence = orjson.loads(evidence_of(SAME | {"phone": "different", "email": "missing"}))
    assert evidence["against"] == ["phone"]
    assert "email" not in evidence["fields"]


def test_a_decision_about_a_pair_that_is_not_there_is_refused() -> None:
    with pytest.raises(KeyError):
        decide(run([pair("a", "b")]).rows, {("user:a", "user:c"): "approved"})


SEEN = {f"user:{name}": number for number, name in enumerate("abcd")} | {"anon:x": 0}


def written(made: Aliases) -> list[tuple[str, str]]:
    return [(event["previousId"], event["userId"]) for event in map(orjson.loads, made.events)]


def test_the_older_profile_stays_and_a_rejected_pair_is_not_written() -> None:
    rows = (*run([pair("b", "c")]).rows, *decided("rejected"))
    assert written(aliases(rows, SEEN, 0.8, 0)) == [("c", "b")]


def test_a_pair_below_the_threshold_is_written_only_if_it_was_approved() -> None:
    rows = run([pair("a", "b", 0.5)]).rows
    assert written(aliases(rows, SEEN, 0.8, 0)) == []
    assert written(aliases(decide(rows, {("user:a", "user:b"): "approved"}), SEEN, 0.8, 0)) == [("b", "a")]


def test_three_of_one_person_become_one_and_a_chain_does_not() -> None:
    chain = [pair("a", "b"), pair("b", "c", 0.9)]
    made = aliases(run(chain).rows, SEEN, 0.8, 0)
    assert (written(made), made.held_back) == ([("b", "a")], 1)
    made = aliases(run([*chain, pair("a", "c", 0.85)]).rows, SEEN, 0.8, 0)
    assert (written(made), made.held_back) == ([("b", "a"), ("c", "a")], 0)


def test_a_device_becomes_the_users_and_two_devices_nobodys() -> None:
    rows = [Suggestion("anon:x", "user:b", 0.9, evidence_of(SAME), "suggested")]
    assert written(aliases(rows, SEEN, 0.8, 0)) == [("x", "b")]
    rows = [Suggestion("anon:x", "anon:y", 0.9, evidence_of(SAME), "suggested")]
    assert written(aliases(rows, SEEN | {"anon:y": 1}, 0.8, 0)) == []


def test_the_same_pair_is_the_same_event() -> None:
    rows = run([pair("a", "b")]).rows
    once, again = (orjson.loads(aliases(rows, SEEN, 0.8, at).events[0])["messageId"] for at in (0, 0))
    assert once == again

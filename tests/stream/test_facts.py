"""A multiset of facts does not care in which order messages come."""

from itertools import permutations

from transforms.state.facts import Facts, Message, pack_messages, unpack_messages

FACT = ("event", "m1", 5)


def test_messages_that_overtake_each_other_come_to_the_same() -> None:
    messages = [(1, 0), (-1, 0), (1, 4), (-1, 0), (1, 7)]
    ends = set()
    for order in permutations(messages):
        facts = Facts()
        for sign, version in order:
            facts.take(FACT, sign, version)
        ends.add((facts.count(FACT), facts.version(FACT)))
    assert ends == {(1, 7)}


def test_changes_taken_over_by_another_copy_make_it_equal() -> None:
    facts, copy = Facts(), Facts()
    for sign, version in [(1, 0), (1, 3), (-1, 0), (-1, 0), (-1, 0)]:
        facts.take(FACT, sign, version)
        facts.take(("seen", sign), sign)
        copy.apply(facts.changes())
        assert sorted(copy.counted(), key=str) == sorted(facts.counted(), key=str)
    facts.forget(FACT)
    copy.apply(facts.changes())
    assert sorted(copy.counted(), key=str) == sorted(facts.counted(), key=str)


def test_messages_survive_the_wire() -> None:
    messages = [Message("users", "ü", ("event", "m", 1, None, b"{}"), -1, 9, "merge"), Message("names", "", ("asked",))]
    assert list(unpack_messages(pack_messages(messages))) == messages

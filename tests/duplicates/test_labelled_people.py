"""Found and not found: a labelled set, and people who share nearly everything and are two."""

import pytest

from pipelines.duplicates import THRESHOLD
from pipelines.trust.match_people import match_people
from tests.duplicates import febrl
from transforms.duplicates.household import another_person
from transforms.duplicates.person import person
from transforms.duplicates.suggest import suggest


def found_among(*rows: dict[str, str]) -> set[tuple[str, str]]:
    """The pairs suggested among these profiles, by their places, with a hundred other people around them."""
    made = [person(f"user:{place}", row) for place, row in enumerate(rows)]
    made += [
        person(
            f"user:other{n}",
            {
                "first_name": f"{'abcdefghij'[n % 10]}nna{n}",
                "last_name": f"{'klmnopqrst'[n // 10]}uber{n}",
                "email": f"someone{n}x@example.com",
                "city": f"Town {n % 20}",
                "birthday": f"19{50 + n % 50}-0{1 + n % 9}-1{n % 10}",
            },
        )
        for n in range(100)
    ]
    people = {one.person_id: one for one in made}
    outcome = suggest(match_people(made, THRESHOLD), people, [], set(people))
    return {(row.left_id[5:], row.right_id[5:]) for row in outcome.rows}


def test_a_labelled_set_is_found_and_nothing_else() -> None:
    people, true = febrl.load(1)
    by_id = {one.person_id: one for one in people}
    pairs = match_people(people, THRESHOLD)
    kept = {pair[:2] for pair in pairs if not another_person(pair.levels, by_id[pair.left_id], by_id[pair.right_id])}
    precision, recall, f1 = febrl.scores(kept, true)
    assert precision >= 0.999
    assert recall >= 0.975
    assert f1 >= 0.985


def test_the_same_people_in_another_order_give_the_same_pairs() -> None:
    people, _ = febrl.load(1)
    assert match_people(people[::-1], 0.5) == match_people(people, 0.5)


JANE = {
    "first_name": "Jane", "last_name": "Moreau", "email": "jane.moreau@gmail.com", "birthday": "1984-03-17",
    "phone": "+33465711214", "street": "12 Example St.", "postal_code": "69001", "city": "Lyon",
}  # fmt: skip


@pytest.mark.parametrize(
    "other",
    [
        JANE | {"email": "janemoreau+shop@googlemail.com", "phone": ""},
        {"email": "Jane.Moreau@googlemail.com"},
        JANE | {"email": "j.moreau@work.example", "first_name": "Jaine"},
        JANE | {"first_name": "Moreau", "last_name": "Jane", "email": ""},
        JANE | {"first_name": "Janet", "birthday": "1984-03-71", "phone": ""},
        {"first_name": "Jane", "last_name": "Moreau", "phone": "+33465711214"},
    ],
    ids=["plus and dots", "the e-mail alone", "a typing error", "swapped", "nickname", "phone and name"],
)
def test_one_person_twice_is_found(other: dict[str, str]) -> None:
    assert found_among(JANE, other) == {("0", "1")}


@pytest.mark.parametrize(
    "other",
    [
        JANE | {"first_name": "Paul", "birthday": "1981-11-02"},
        JANE | {"first_name": "Paul", "birthday": ""},
        JANE | {"birthday": "2009-08-29"},
        JANE | {"birthday": "2009-08-29", "email": "", "phone": ""},
        {"first_name": "Jane", "last_name": "Moreau", "city": "Paris", "birthday": "1961-07-05"},
        {"first_name": "Ravi", "last_name": "Iyer", "phone": "+33465711214"},
        {"phone": "+33465711214"},
    ],
    ids=[
        "a couple with one address", "a couple, no birthday", "parent and child with one name",
        "parent and child, nothing else", "a namesake", "a shared office phone", "a phone alone",
    ],
)  # fmt: skip
def test_two_people_are_not_suggested(other: dict[str, str]) -> None:
    assert found_among(JANE, other) == set()


def test_the_mailbox_of_an_office_says_nothing() -> None:
    office = {"email": "info@shop.example"}
    assert found_among(office, office | {"last_name": "Iyer"}, office | {"last_name": "Moreau"}) == set()

"""Found and not found: a labelled set, and people who share nearly everything and are two."""

from pipelines.duplicates import THRESHOLD
from pipelines.trust.match_people import match_people
from tests.duplicates import febrl
from transforms.duplicates.household import another_person
from transforms.duplicates.person import person
from transforms.duplicates.suggest import suggest


def found_among(*rows: dict[str, str]) -> set[tuple[int, int]]:
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
    pairs = [sorted((int(row.left_id[5:]), int(row.right_id[5:]))) for row in outcome.rows]
    return {(one, other) for one, other in pairs}


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


def human(number: int) -> dict[str, str]:
    """One of eight people who have nothing in common."""
    first = ("Jane", "Robert", "Margaret", "Hugo", "Elif", "Sven", "Paula", "Igor")[number]
    last = ("Moreau", "Whitfield", "Castellano", "Brandt", "Yilmaz", "Lindqvist", "Ferreira", "Novak")[number]
    return {
        "first_name": first,
        "last_name": last,
        "email": f"{first}.{last}@gmail.com".lower(),
        "birthday": f"19{60 + 5 * number}-0{number + 1}-1{number}",
        "phone": f"+3346571{1234 + 1111 * number}",
        "street": f"{12 + 7 * number} {('Rose', 'Mill', 'Hill', 'Oak', 'Lake', 'Park', 'Ash', 'Elm')[number]} St.",
        "postal_code": f"{69001 + 137 * number}",
        "city": ("Lyon", "Leeds", "Pisa", "Kiel", "Izmir", "Umea", "Faro", "Brno")[number],
    }


def test_one_person_twice_is_found() -> None:
    people = [human(number) for number in range(7)]
    swapped = {"first_name": people[3]["last_name"], "last_name": people[3]["first_name"], "email": ""}
    others = [
        people[0] | {"email": "janemoreau+shop@googlemail.com", "phone": ""},  # plus and dots
        {"email": people[1]["email"].replace("gmail", "googlemail").upper()},  # the e-mail alone
        people[2] | {"email": "m.castellano@work.example", "first_name": "Margret"},  # a typing error
        people[3] | swapped,
        people[4] | {"birthday": "1980-05-41", "phone": "", "email": ""},  # two digits of the birthday
        {name: people[5][name] for name in ("first_name", "last_name", "phone")},  # phone and name
        people[6] | {"first_name": "P.", "email": "p.ferreira@work.example"},  # an initial
    ]
    bob = human(1) | {"first_name": "Bob", "email": "bob@work.example"}
    assert found_among(*people, *others) == {(place, place + 7) for place in range(7)}
    assert found_among(human(1), bob) == {(0, 1)}


def test_two_people_are_not_suggested() -> None:
    people = [human(number) for number in range(7)]
    others = [
        people[0] | {"first_name": "Paul", "birthday": "1981-11-02"},  # a couple with one address, e-mail and phone
        people[1] | {"first_name": "Anna", "birthday": ""},  # the same, no birthday known
        people[2] | {"birthday": "2001-08-29"},  # a parent and a child of one name
        people[3] | {"birthday": "2005-02-28", "email": "", "phone": ""},  # the same, nothing else known
        {"first_name": "Elif", "last_name": "Yilmaz", "city": "Paris", "birthday": "1961-07-05"},  # a namesake
        {"first_name": "Ravi", "last_name": "Iyer", "phone": people[5]["phone"]},  # an office's telephone
        {"phone": people[6]["phone"]},  # a telephone alone
    ]
    assert found_among(*people, *others) == set()


def test_the_mailbox_of_an_office_says_nothing() -> None:
    office = {"email": "info@shop.example"}
    assert found_among(office, office | {"last_name": "Iyer"}, office | {"last_name": "Moreau"}) == set()

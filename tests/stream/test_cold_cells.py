"""Cells that are not in use lie packed together, and nobody notices: a shelf does what a plain dictionary would."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import Any, Self

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.state import cold_cells, shelf
from transforms.state.block import Entry
from transforms.state.cold_cells import ColdCell, ColdCells
from transforms.state.shelf import Shelf

KEYS = [f"u{number}" for number in range(12)]
KEY = st.sampled_from(KEYS)
DUE = st.none() | st.integers(0, 50)


class Note:
    """A cell that holds numbers, and packs all but when it wants to be woken."""

    def __init__(self, numbers: list[int]) -> None:
        self.numbers = numbers
        self.new = numbers[:]
        self.due: int | None = None
        self.counted: Counter[str] = Counter()

    @classmethod
    def unpack(cls, key: str, data: bytes | None) -> Self:
        cell = cls(list(data or b"")[1:])
        cell.new = []
        return cell

    def pack(self) -> bytes:
        self.new = []
        return b"\x01" + bytes(self.numbers)

    def change(self) -> bytes | None:
        if len(self.numbers) % 3 == 0:
            return None
        new, self.new = self.new, []
        return bytes(new)

    def apply(self, change: bytes) -> None:
        self.numbers += change


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two cells are in use, three are packed each by itself; chunks of a few; keys that have one hash."""
    monkeypatch.setattr(shelf, "MOST_PACKED", 3)
    monkeypatch.setattr(cold_cells, "CHUNK_BYTES", 6)
    monkeypatch.setattr(shelf, "ColdCells", partial(ColdCells, lambda key: KEYS.index(key) // 2 - 3))


def one_of_each() -> Any:
    return st.one_of(
        st.tuples(st.just("tell"), KEY, st.integers(0, 255), DUE),
        st.tuples(st.just("forget"), KEY),
        st.tuples(st.just("commit")),
        st.tuples(st.just("whole")),
        st.tuples(st.just("reopen")),
        st.tuples(st.just("wake"), st.integers(0, 50), st.integers(0, 4)),
    )


class Pair:
    """A shelf with its log, and what it should hold: numbers and when it wants to be woken, by key."""

    def __init__(self) -> None:
        self.shelf: Shelf[Note] = Shelf(Note, most_live=2)
        self.log: list[bytes] = []
        self.wanted: dict[str, tuple[list[int], int | None]] = {}

    def do(self, what: str, *given: Any) -> None:
        getattr(self, what)(*given)

    def tell(self, key: str, number: int, due: int | None) -> None:
        cell = self.shelf.cell(key)
        numbers, known = self.wanted.get(key, ([], None))
        assert (cell.numbers, cell.due) == (numbers, known)
        cell.numbers.append(number)
        cell.new.append(number)
        cell.due = due
        self.shelf.settle(key)
        self.wanted[key] = [*numbers, number], due

    def forget(self, key: str) -> None:
        self.shelf.forget(key)
        self.commit()
        self.wanted.pop(key, None)

    def commit(self) -> None:
        self.log.append(self.shelf.commit())

    def whole(self) -> None:
        self.commit()
        self.log = [self.shelf.whole()]

    def reopen(self) -> None:
        self.commit()
        self.shelf = Shelf(Note, self.log[::-1], most_live=2)

    def wake(self, until: int, most: int) -> None:
        due = sorted((due, key) for key, (_, due) in self.wanted.items() if due is not None and due <= until)
        woken = []
        for key in self.shelf.due(until):
            woken.append((self.wanted[key][1], key))
            self._woken(key)
            if len(woken) > most:
                break
        assert [at for at, _ in woken] == [at for at, _ in due[: most + 1]]
        assert set(woken) <= set(due)

    def _woken(self, key: str) -> None:
        cell = self.shelf.cell(key)
        assert cell.numbers == self.wanted[key][0]
        cell.due = None
        self.shelf.settle(key)
        self.wanted[key] = self.wanted[key][0], None


@settings(max_examples=500)
@given(st.lists(one_of_each(), max_size=80))
def test_a_shelf_holds_what_it_was_told(steps: list[tuple[Any, ...]]) -> None:
    pair = Pair()
    for step in steps:
        pair.do(*step)
        dues = [due for _, due in pair.wanted.values() if due is not None]
        assert pair.shelf.next_due() == min(dues, default=None)
        assert list(pair.shelf) == sorted(pair.wanted)
        assert pair.shelf.count_logged() == len(pair.wanted)
    pair.reopen()
    for key, (numbers, due) in pair.wanted.items():
        cell = pair.shelf.cell(key)
        assert (cell.numbers, cell.due) == (numbers, due)


def cold(key: str, due: int | None = None, size: int = 1) -> ColdCell:
    return ColdCell(due, [Entry(key, due, whole=True, data=b"x" * size)])


def test_a_cell_is_here_once() -> None:
    cells = ColdCells()
    assert cells.put([cold("u1"), cold("u2")]) == []
    assert cells.take("u1") == cold("u1")
    assert cells.take("u1") is None
    assert [cell.key for cell in cells] == ["u2"]


def test_of_two_keys_with_one_hash_the_second_is_refused_until_the_first_is_gone() -> None:
    cells = ColdCells(lambda _key: 1)
    assert cells.put([cold("u1"), cold("u2")]) == [cold("u2")]
    assert cells.take("u2") is None
    assert cells.take("u1") == cold("u1")
    assert cells.put([cold("u2")]) == []
    assert cells.take("u1") is None
    assert cells.take("u2") == cold("u2")


def test_the_first_to_be_woken_is_known_when_others_were_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cold_cells, "CHUNK_BYTES", 3)
    cells = ColdCells()
    cells.put([cold("u1", 5), cold("u2", 3), cold("u3"), cold("u4", 9, size=9)])
    assert cells.next_due() == 3
    cells.take("u2")
    assert cells.next_due() == 5
    assert {cell.key for cell in cells.take_first_due()} >= {"u1"}
    assert cells.take("u4") == cold("u4", 9, size=9)
    assert cells.next_due() is None


def test_chunks_of_which_little_is_left_are_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cold_cells, "CHUNK_BYTES", 1_000)
    cells = ColdCells()
    for round_of in range(50):
        cells.put(cold(f"{round_of} {number}", size=1) for number in range(100))
        for number in range(99):
            assert cells.take(f"{round_of} {number}") is not None
    assert len(cells) == 50
    assert len(cells._chunks) < 10

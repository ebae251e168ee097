"""An archive gives back what a cell has left behind, in whatever order its blocks come."""

from __future__ import annotations

import random

from transforms.state import archive as module
from transforms.state.archive import Archive


class Bag:
    """A state that is only appended to, as a bag gives it back: in any order."""

    def __init__(self) -> None:
        self.blocks: list[bytes] = []
        self.number = self.reads = 0

    def read(self) -> list[bytes]:
        self.reads += 1
        return random.Random(self.reads).sample(self.blocks, len(self.blocks))  # noqa: S311 - an order, no secret

    def commit(self, archive: Archive) -> None:
        self.number += 1
        rewrite, blocks = archive.commit(self.number)
        self.blocks = [*(() if rewrite else self.blocks), *blocks]

    def add(self, *entries: tuple[str, bytes]) -> None:
        archive = Archive(self.read)
        for key, data in entries:
            archive.add(key, data)
        self.commit(archive)

    def take(self, key: str) -> list[bytes]:
        archive = Archive(self.read)
        found = list(archive.take(key))
        self.commit(archive)
        return found


def test_what_was_put_away_is_given_back_once_and_in_order() -> None:
    bag = Bag()
    bag.add(("a", b"1"), ("b", b"2"))
    bag.add(("a", b"3"))
    assert bag.reads == 0, "putting away reads nothing"
    assert bag.take("a") == [b"1", b"3"]
    assert bag.take("a") == []
    bag.add(("a", b"4"))
    assert bag.take("a") == [b"4"]
    assert bag.take("b") == [b"2"]


def test_what_was_taken_and_put_away_again_in_one_bundle_stands() -> None:
    bag = Bag()
    bag.add(("a", b"1"))
    archive = Archive(bag.read)
    assert list(archive.take("a")) == [b"1"]
    archive.add("a", b"2")
    assert list(archive.take("a")) == [b"2"]
    archive.add("a", b"3")
    bag.commit(archive)
    assert bag.take("a") == [b"3"]


def test_an_archive_that_is_mostly_void_is_rewritten() -> None:
    bag = Bag()
    for number in range(10):
        bag.add((f"k{number}", bytes(100)))
    for number in range(9):
        bag.take(f"k{number}")
    assert len(bag.blocks) < 9
    assert bag.take("k9") == [bytes(100)]


def test_large_parts_are_cut_into_blocks() -> None:
    bag = Bag()
    noise = random.Random(1)  # noqa: S311 - bytes that do not compress
    parts = [noise.randbytes(module._BLOCK_BYTES // 3) for _ in range(7)]
    bag.add(*(("a", part) for part in parts))
    assert len(bag.blocks) == 3
    assert bag.take("a") == parts


def test_without_an_archive_nothing_is_kept() -> None:
    archive = Archive(list, keeps=False)
    archive.add("a", b"1")
    assert archive.commit(1) == (False, [])

"""How a shelf lives in a runner's state: what a bundle reads and writes, and what another worker finds."""

from __future__ import annotations

import random
import string
import struct
from dataclasses import dataclass, field

from transforms.identity.cells.link_index import LinkIndexCell
from transforms.profiles.evaluate import Rules
from transforms.segments.language.ast import Definitions
from transforms.state.facts import Message
from transforms.state.shelf_dofn import ShelfDoFn
from transforms.stream.settings import FixedRules, StreamSettings

SETTINGS = StreamSettings(rules=FixedRules(Rules(Definitions())), clock=lambda: 0, allowed_lateness_us=0)
SHELF = "0"


@dataclass
class Value:
    """A value state that counts how often it is used."""

    held: bytes | None = None
    uses: int = 0

    def read(self) -> bytes | None:
        self.uses += 1
        return self.held

    def write(self, value: bytes) -> None:
        self.uses += 1
        self.held = value


@dataclass
class Bag:
    """A bag state that counts how often it is used, and gives its elements in another order."""

    held: list[bytes] = field(default_factory=list)
    uses: int = 0

    def read(self) -> list[bytes]:
        self.uses += 1
        return self.held[::-1]

    def add(self, element: bytes) -> None:
        self.uses += 1
        self.held.append(element)

    def clear(self) -> None:
        self.uses += 1
        self.held.clear()


@dataclass
class State:
    head: Value = field(default_factory=Value)
    log: Bag = field(default_factory=Bag)

    def link(self, worker: ShelfDoFn, device: str) -> None:
        """A bundle that tells ann's cell of one device."""
        shelf = worker.take_shelf(SHELF, self.head, self.log)
        shelf.cell("ann").handle([Message("links", "ann", ("linked", device))])
        worker.keep_shelf(SHELF, shelf, self.head, self.log)

    def devices(self) -> list[str]:
        """What a worker finds that has nothing in memory."""
        shelf = worker().take_shelf(SHELF, self.head, self.log)
        return sorted(device for _, device in shelf.cell("ann").facts.of("linked"))


def worker() -> ShelfDoFn:
    do = ShelfDoFn(LinkIndexCell, SETTINGS)
    do.setup()
    return do


def test_most_bundles_read_the_head_and_write_it_and_nothing_else() -> None:
    state, one = State(), worker()
    state.link(one, "d0")
    state.head.uses = state.log.uses = 0
    for number in range(1, 6):
        state.link(one, f"d{number}")
    assert (state.head.uses, state.log.uses) == (10, 0)
    assert state.devices() == ["d0", "d1", "d2", "d3", "d4", "d5"]


def test_another_worker_finds_what_is_in_the_head_and_what_has_moved_to_the_log() -> None:
    state, workers = State(), [worker(), worker()]
    wanted = []
    for number in range(30):
        state.link(workers[number // 4 % 2], f"d{number}")
        wanted.append(f"d{number}")
        assert state.devices() == sorted(wanted)
    assert len(state.log.held) > 15


def test_a_large_block_does_not_stay_in_the_head() -> None:
    state = State()
    large = "".join(random.Random(1).choices(string.printable, k=200_000))  # noqa: S311 - does not compress away
    state.link(worker(), large)
    assert len(state.log.held) == 1
    assert len(state.head.held or b"") < 100
    assert state.devices() == [large]


def test_a_shelf_in_memory_whose_bundle_failed_is_not_used() -> None:
    state, one = State(), worker()
    state.link(one, "kept")
    before = state.head.held
    state.link(one, "lost")
    state.head.held = before
    state.link(one, "later")
    assert state.devices() == ["kept", "later"]


def test_a_head_of_the_first_layout_is_read() -> None:
    state = State()
    state.link(worker(), "d0")
    shelf = worker().take_shelf(SHELF, state.head, state.log)
    block = shelf.whole()
    state.head.held = struct.pack(">QQ", len(block), len(block)) + b"8 random"
    state.log.held = [block]
    assert state.devices() == ["d0"]
    state.link(worker(), "d1")
    assert state.devices() == ["d0", "d1"]


def test_a_log_is_rewritten_when_most_of_it_is_out_of_date() -> None:
    state, one = State(), worker()
    rng = random.Random(2)  # noqa: S311 - no secret
    written_bytes = 0
    for _ in range(400):
        device = rng.randbytes(3_000).hex()
        for sign in (1, -1):
            shelf = one.take_shelf(SHELF, state.head, state.log)
            shelf.cell("ann").handle([Message("links", "ann", ("linked", device), sign)])
            one.keep_shelf(SHELF, shelf, state.head, state.log)
        written_bytes += len(device)
    kept_bytes = sum(map(len, state.log.held)) + len(state.head.held or b"")
    assert kept_bytes < 400_000 < written_bytes
    assert state.devices() == []

"""What a boot has made loses what nobody may keep: contents of old message ids, and what a deletion has erased."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from schemas.event import MESSAGE_ID, TIMESTAMP, TYPE
from tests.laws.memory import seeded_world
from tests.stream.test_shelf_state import SETTINGS, SHELF, State
from transforms.deduplicate.cell import MessageIdCell, keeps_until
from transforms.deduplicate.copies import RAW, RETRACT
from transforms.identity.cells.link_index import LinkIndexCell
from transforms.state.boot_shelves import BootShelves, part_count
from transforms.state.facts import Message
from transforms.state.first_cells import part_of
from transforms.state.shelf import Shelf
from transforms.state.shelf_dofn import ShelfDoFn
from transforms.stream.maintain import _forget_first

LATENESS_US = 1_000


def test_of_ids_whose_copies_cannot_come_only_what_a_retract_asks_for_remains(tmp_path: Path) -> None:
    records = {one[MESSAGE_ID]: one for one in seeded_world(7).parsed[0] if one[TYPE] not in ("alias", RETRACT)}
    shelves = BootShelves(str(tmp_path), 1)
    for part in range(part_count(1)):
        cells = [
            (key, keeps_until([one], LATENESS_US), MessageIdCell.packed([one]))
            for key, one in records.items()
            if part_of(key, part_count(1)) == part
        ]
        shelves.write("MessageIdCell", part, cells, wakes=False)
    shelf = Shelf(MessageIdCell, first=shelves.of_shelf("MessageIdCell", "0"))
    assert shelf.first is not None
    latest = max(one[TIMESTAMP] for one in records.values()) + LATENESS_US + 1
    _forget_first(shelf, min(one[TIMESTAMP] for one in records.values()))
    assert all(shelf.cell(key).records == [one] for key, one in records.items()), "it is too early"
    shelf = Shelf(MessageIdCell, first=shelves.of_shelf("MessageIdCell", "0"))
    for _ in range(part_count(1)):
        _forget_first(shelf, latest)
    assert shelf.first is not None
    assert shelf.first.settles_at() is None
    for key, one in records.items():
        cell = shelf.cell(key)
        assert [known[RAW] for known in cell.records] == [b""], "what has to be known of an id is there, and no more"
        assert not cell.handle([one]), "what comes for it after all counts as a copy"


def test_what_was_erased_leaves_the_files_once_the_log_has_what_is_left(tmp_path: Path) -> None:
    boot = BootShelves(str(tmp_path), SETTINGS.buckets)
    ann = next(name for name in map(str, range(1_000)) if part_of(name, part_count(SETTINGS.buckets)) == 0)
    cell = LinkIndexCell(ann)
    cell.handle([Message("links", ann, ("linked", "secret"))])
    boot.write("LinkIndexCell", 0, [(ann, None, cell.pack())])
    worker, state = ShelfDoFn(LinkIndexCell, replace(SETTINGS, boot=boot)), State()
    shelf = worker.take_shelf(SHELF, state.head, state.log)
    shelf.cell(ann).handle([Message("links", ann, ("linked", "secret"), -1), Message("links", ann, ("linked", "rest"))])
    worker.keep_shelf(SHELF, shelf, state.head, state.log, [ann])
    assert boot.of_shelf("LinkIndexCell", SHELF).find(ann) is not None, "the bundle may still fail"
    worker.take_shelf(SHELF, state.head, state.log)
    assert boot.of_shelf("LinkIndexCell", SHELF).find(ann) is None
    read = ShelfDoFn(LinkIndexCell, replace(SETTINGS, boot=boot)).take_shelf(SHELF, state.head, state.log)
    assert read.cell(ann).facts.of("linked") == [("linked", "rest")]

"""A shelf comes back from its log, also from one that an older release wrote."""

from __future__ import annotations

import zlib

import msgspec
import pytest

from transforms.identity.cells.link_index import LinkIndexCell
from transforms.state.cell import UnknownLayoutError
from transforms.state.facts import Message
from transforms.state.shelf import Shelf


def shelf_of(*users: str) -> Shelf[LinkIndexCell]:
    shelf = Shelf(LinkIndexCell)
    for user in users:
        shelf.cell(user).handle([Message("links", user, ("linked", f"device of {user}"))])
    return shelf


def test_a_log_of_layout_1_is_read() -> None:
    written = shelf_of("ann", "ben")
    block = (1, [(key, None, True, written.cell(key).pack()) for key in written])
    log = bytes((1,)) + zlib.compress(msgspec.msgpack.encode(block))
    read = Shelf(LinkIndexCell, [log])
    assert list(read) == ["ann", "ben"]
    assert read.cell("ann").facts.of("linked") == [("linked", "device of ann")]


def test_a_newer_layout_is_refused() -> None:
    with pytest.raises(UnknownLayoutError, match="layout 9"):
        Shelf(LinkIndexCell, [b"\x09 whatever"])


def test_what_is_forgotten_stays_so_when_the_log_is_read() -> None:
    shelf = shelf_of("ann", "ben")
    first = shelf.commit()
    shelf.forget("ann")
    assert list(Shelf(LinkIndexCell, [shelf.commit(), first])) == ["ben"]

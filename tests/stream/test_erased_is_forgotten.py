"""What a deletion has erased leaves the state of the stream once the deletion has settled: facts, archive and log."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.event import Event, Failure
from schemas.update import RowUpdate
from transforms.identity.cells.devices import DeviceCell
from transforms.identity.cells.failures import FailureCell
from transforms.identity.cells.users import UserCell
from transforms.state.archive import Archive
from transforms.state.facts import Message, event_fact
from transforms.state.horizon import DAY_US, HOUR_US, Horizon
from transforms.stream.stages import DEVICES, FAILURES, USERS, failure_targets

HORIZON = Horizon(10 * HOUR_US, grid_us=HOUR_US)
SECRET = b'{"email":"ann@example.com"}'


def event(message_id: str, hour: int, user: str | None = "ann", device: str | None = None) -> tuple[Any, ...]:
    at = hour * HOUR_US
    return event_fact(Event(message_id, at, "identify", "", user, device, None, None, None, None, SECRET, None))


def user_cell() -> UserCell:
    cell = UserCell("ann")
    cell.horizon = HORIZON
    cell.handle([Message(USERS, "ann", event(f"m{hour}", hour)) for hour in (1, 2, 60)])
    return cell


def device_cell() -> DeviceCell:
    cell = DeviceCell("d")
    cell.horizon = HORIZON
    facts = [event(f"m{hour}", hour, None, "d") for hour in (1, 2, 60)]
    cell.handle([Message(DEVICES, "d", fact) for fact in (("link", 0, "l", "ann"), *facts)])
    return cell


@pytest.mark.parametrize(
    ("cell", "erased"),
    [(user_cell(), ("erased", 50 * HOUR_US, "r")), (device_cell(), ("erased", "ann", 50 * HOUR_US, "r"))],
)
def test_what_is_erased_is_kept_while_it_may_come_back_and_then_forgotten(cell: Any, erased: tuple[Any, ...]) -> None:
    told = cell.handle([Message("", cell.key, erased)])
    assert sum(m.fact == ("erased", "events") for m in told if isinstance(m, Message)) == 2
    assert 60 * HOUR_US <= cell.due < 60 * HOUR_US + DAY_US
    assert cell.leave_behind(49 * HOUR_US) is None
    assert cell.pack().count(b"ann@example.com") == 3
    assert cell.leave_behind(50 * HOUR_US) is None
    assert cell.has_forgotten
    assert cell.pack().count(b"ann@example.com") == 1, "what came after the deletion stays"
    assert cell.due is None
    assert not [m for m in cell.handle([Message("", cell.key, erased)]) if isinstance(m, Message)], "nor is it untold"


def test_a_failure_that_is_erased_loses_its_bytes_for_good() -> None:
    failure = Failure(
        "malformed_json", (": torn",), "parse", None, b'{"userId":"ann","email":"ann@ex', {"a": "b"}, "in", 7
    )
    [(_, key, fact), *_] = failure_targets(failure)
    cell = FailureCell(key)
    cell.horizon = HORIZON
    [whole] = cell.handle([Message(FAILURES, key, fact)])
    [emptied] = cell.handle([Message(FAILURES, key, ("erased", 50 * HOUR_US))])
    assert isinstance(whole, RowUpdate)
    assert isinstance(emptied, RowUpdate)
    assert whole.version < emptied.version
    cell.leave_behind(49 * HOUR_US)
    assert b"ann@ex" in cell.pack()
    cell.leave_behind(50 * HOUR_US)
    assert b"ann" not in cell.pack()
    assert cell.due is None
    again = FailureCell.unpack(key, cell.pack())
    [update] = again.handle([Message(FAILURES, key, ("erased", 50 * HOUR_US), -1)]) or [emptied]
    assert isinstance(update, RowUpdate)
    assert update.row[5] == b"", "it has no bytes that could come back"
    assert update.row[0] == key


def test_an_archive_is_purged_of_what_was_taken_from_it() -> None:
    archive = Archive(list)
    for key in ("ann", "bob", "eve"):
        archive.add(key, SECRET + key.encode())
    _, blocks = archive.commit(1)
    archive = Archive(lambda: blocks)
    assert list(archive.take("ann")) == [SECRET + b"ann"]
    rewrite, added = archive.commit(2)
    assert not rewrite, "a third of it is void"
    blocks += added
    archive = Archive(lambda: blocks)
    archive.purge()
    rewrite, blocks = archive.commit(3)
    assert rewrite
    left = Archive(lambda: blocks)
    assert list(left.take("ann")) == []
    assert list(left.take("bob")) == [SECRET + b"bob"]

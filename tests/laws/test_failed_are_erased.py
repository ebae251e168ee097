"""What failed and names an erased user: the stories of docs/identity.md, in a bounded job and in the stream."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from tests.laws.memory import World, by_name, reference, whole
from tests.reference.values import same
from tests.stream.simulation import ANY_TIME, NO_HORIZON, Simulation, differences, expected
from transforms.failed_events import RAW, REASON
from transforms.identity.cells.devices import DeviceCell
from transforms.identity.named import MOST_TEXTS, named_in
from transforms.segments.language import ast
from transforms.state.facts import Message
from transforms.stream.stages import DEVICES, RECEIPTS

NOTHING = ast.Definitions((), ())
LATER = 1_800_000_000_000_000


def line(day: int | None, **fields: Any) -> bytes:
    said = {"type": "track", "event": "Product Viewed"}
    when = {} if day is None else {"timestamp": f"2026-03-{day:02}T00:00:00Z"}
    return orjson.dumps(said | when | fields)


LINKED = line(2, messageId="linked", userId="ann", anonymousId="d1")
BOB_LATER = line(8, messageId="bob", userId="bob", anonymousId="d1")
DELETED = line(10, messageId="delete", type="delete", userId="ann")
BAD = {"messageId": "bad", "type": "walk"}


def left(*lines: bytes) -> list[bytes]:
    """The bytes that failures have kept; the reference and the stream say the same."""
    world = World(lines, NOTHING, LATER, 30 * 86_400_000_000, 100)
    tables = whole(world)
    assert same(reference(world)["failed_events"], by_name(tables)["failed_events"])
    for seed in range(8):
        for horizon in (NO_HORIZON, ANY_TIME):
            assert not differences(expected(world), Simulation(world, NOTHING, seed, horizon).run())
    assert all(row[REASON] for row in tables["failed_events"])
    return sorted(row[RAW] for row in tables["failed_events"])


@pytest.mark.parametrize(
    "record",
    [
        line(5, **BAD, userId="ann"),
        line(5, **BAD, anonymousId="d1"),
        line(1, **BAD, anonymousId="d1"),
        line(None, messageId="bad", userId="ann"),
        line(20, messageId="bad", userId="ann", receivedAt="2026-03-05T00:00:00Z"),
        line(5, messageId="bad", userId="undefined", anonymousId="d1"),
        line(5, messageId="bad", user_id="ann"),
        line(5, messageId="bad", userId={"id": "ann"}),
        line(5, messageId="bad", type="alias", previousId="ann"),
        line(5, messageId="bad", type="retract", retracts="delete", userId="ann"),
        line(5, messageId="linked2", userId="ann", anonymousId="d1"),
        b'{"messageId": "bad", "userId": "ann", "traits": {"email": "ann@exam',
        b'"nn", "anonymousId": "d1", "email": "x"}',
        b'"email": "ann", "x": 1}',
        b'{"userId": "ann", "name": "Jos\xe9"}',
        '{"userId": "ann"}'.encode("utf-16"),
        b'["ann"]',
    ],
)
def test_what_names_the_deleted_loses_its_bytes_and_keeps_its_reason(record: bytes) -> None:
    copy = line(5, messageId="linked2", userId="ann", anonymousId="d1", properties={"price": 3})
    assert left(LINKED, copy, DELETED, record) == [b""]


@pytest.mark.parametrize(
    "record",
    [
        line(5, **BAD, userId="bob"),
        line(5, **BAD, userId="bob", anonymousId="d1"),
        line(5, **BAD, anonymousId="d2"),
        line(9, **BAD, anonymousId="d1"),
        line(11, **BAD, userId="ann"),
        line(20, messageId="bad", userId="ann", receivedAt="2026-03-12T00:00:00Z"),
        line(5, messageId="bad", properties={"name": "annabel"}),
        b'{"messageId": "bad", "userId": "bob", "name": "ann',
        b'{"messageId": "bad", "user": "annabel", "name',
    ],
)
def test_what_names_others_or_happened_after_the_deletion_keeps_them(record: bytes) -> None:
    assert left(LINKED, BOB_LATER, DELETED, record) == [record]


def test_a_record_without_a_time_is_everybodys_who_was_behind_its_device() -> None:
    record = line(None, messageId="bad", anonymousId="d1")
    assert left(LINKED, BOB_LATER, DELETED, record) == [b""]


def test_users_who_were_merged_are_one() -> None:
    alias = line(3, messageId="alias", type="alias", previousId="eve", userId="ann")
    eve = line(1, messageId="eve", userId="eve")
    record = line(2, **BAD, userId="eve")
    assert left(eve, alias, DELETED, record) == [b""]
    retract = line(12, messageId="retract", type="retract", retracts="alias")
    assert left(eve, alias, DELETED, record, retract) == [record], "undone: she is not the one who was deleted"


def test_a_deletion_is_final() -> None:
    record = line(5, **BAD, userId="ann")
    retract = line(12, messageId="retract", type="retract", retracts="delete")
    assert left(DELETED, record, retract) == [b"", retract], "the retract fails"


def test_a_deletion_that_another_content_of_its_id_takes_the_place_of_erases_nothing() -> None:
    record = line(5, **BAD, userId="ann")
    others = [line(10, messageId="delete", userId="bob", properties={"price": price}) for price in range(9)]
    kept = {tuple(left(DELETED, other, record)) for other in others}
    assert {record in raws for raws in kept} == {True, False}, "which of the two stands is decided by their hash"


def test_a_record_names_no_more_than_so_many_texts() -> None:
    texts = [f"u{number}" for number in range(3 * MOST_TEXTS)]
    assert named_in("malformed_json", orjson.dumps(texts)).users == tuple(texts[:MOST_TEXTS])
    deep = b"[" * 900 + b'"ann"' + b"]" * 900
    assert named_in("malformed_json", deep).users == ("ann",)


def test_a_device_that_was_read_again_knows_what_it_has_said() -> None:
    """Of two erasures on their way, the one that is taken must not hang on the order in which they came."""
    first, second = ("erased", "ann", 50, "r1"), ("erased", "ann", 60, "r2")
    facts = [("link", 10, "m", "ann"), second, first]
    told = []
    for order in (facts, facts[::-1]):
        cell = DeviceCell("d1")
        outputs = cell.handle([Message(DEVICES, "d1", fact) for fact in order])
        told.append({output.key for output in outputs if isinstance(output, Message) and output.stage == RECEIPTS})
    assert told[0] == told[1]

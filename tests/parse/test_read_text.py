"""Text files: lines in ranges, documents, gzip, bodies; and what damage costs in each."""

from __future__ import annotations

import gzip
import io
import json
import zlib
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from schemas.event import Event, Failure
from tests.parse.made_messages import NOON, message, parsed
from transforms.parse import split_body
from transforms.parse.formats import kind_of, open_content
from transforms.parse.lines import CHUNK_BYTES, CutOffError, Lines, PartOfLine, read_lines
from transforms.parse.text import text_messages

EVENTS = [message(messageId=f"m-{n}", properties={"products": [{"sku": "a"}, {"sku": "ü{}"}]}) for n in range(6)]


def read(data: bytes, name: str = "x") -> list[bytes | Failure]:
    return list(text_messages(open_content(io.BytesIO(data), name), "inbox"))


def ids(found: list[bytes | Failure]) -> list[str]:
    return [result.message_id for result in parsed(found) if isinstance(result, Event)]


def lines_of(file: io.BytesIO, start: int, end: int | None) -> list[bytes]:
    groups = read_lines(file, start, end)
    found: list[bytes] = []
    while True:
        try:
            lines = next(groups)
            assert isinstance(lines, Lines)
            found += lines
        except StopIteration as rest:
            return [*found, *([rest.value.unfinished] if rest.value.unfinished else [])]


WRITTEN = {
    "array": json.dumps(EVENTS),
    "pretty array": json.dumps(EVENTS, indent=2),
    "flat array": json.dumps(EVENTS, indent=0),
    "pretty": "\n".join(json.dumps(event, indent=4) for event in EVENTS),
    "concatenated": "".join(json.dumps(event) for event in EVENTS),
    "trailing commas": ",\n".join(json.dumps(event) for event in EVENTS) + ",\n",
    "array of lines": "[\n" + ",\n".join(json.dumps(event) for event in EVENTS) + ",\n]\n",
    "lines": "\r\n".join(json.dumps(event) for event in EVENTS),
    "two arrays": json.dumps(EVENTS[:3]) + "\n" + json.dumps(EVENTS[3:], indent=1),
    "a body": json.dumps({"batch": EVENTS, "sentAt": NOON}),
    "mark": "\ufeff" + json.dumps(EVENTS),
}


@pytest.mark.parametrize("text", WRITTEN.values(), ids=WRITTEN)
@pytest.mark.parametrize("packed", [False, True])
def test_every_way_to_write_json(text: str, packed: bool) -> None:
    data = gzip.compress(text.encode()) if packed else text.encode()
    found = read(data)
    assert ids(found) == [event["messageId"] for event in EVENTS]
    assert len(found) == len(EVENTS)


@given(st.sampled_from(sorted(WRITTEN)), st.integers(0, 10_000), st.binary(max_size=2), st.integers(0, 2))
def test_damage_costs_its_event_and_no_other(name: str, place: int, insert: bytes, remove: int) -> None:
    data = WRITTEN[name].encode()
    place %= len(data)
    damaged = data[:place] + insert + data[place + remove :]
    content = open_content(io.BytesIO(damaged), "x")
    assume(content.gunzip is None and content.kind in ("lines", "documents"))  # two bytes may say that it is packed
    found = read(damaged)
    if name not in ("a body", "mark"):  # a body is one JSON value
        lost = {event["messageId"] for event in EVENTS} - set(ids(found))
        assert len(lost) <= 2, "the one that was hit, or the two on both sides of a separator"


def test_places_are_those_in_the_record() -> None:
    (failure,) = parsed(read(b'[\n  {\n    "a": 1,\n    "b": nope\n  }\n]', "x.json"))
    assert isinstance(failure, Failure)
    assert "(line 3, character" in failure.errors[0]


def test_what_is_no_object_is_a_failure_of_its_own() -> None:
    found = parsed(read(b'[1, "x", null, [2], {"messageId": 1}]', "x.json"))
    reasons = [result.reason for result in found if isinstance(result, Failure)]
    assert reasons == ["malformed_json"] * 4 + ["schema_violation"]


@given(st.lists(st.binary(max_size=12).map(lambda b: b.replace(b"\n", b"")), max_size=30), st.integers(1, 40))
def test_ranges_give_every_line_once(lines: list[bytes], size: int) -> None:
    data = b"\n".join(lines)
    whole = lines_of(io.BytesIO(data), 0, None)
    ranges = [(start, min(start + size, len(data))) for start in range(0, len(data), size)]
    assert [line for start, end in ranges for line in lines_of(io.BytesIO(data), start, end)] == whole


def test_a_file_that_was_cut_is_noticed() -> None:
    with pytest.raises(CutOffError, match="ends at byte 2"):
        list(read_lines(io.BytesIO(b"a\n"), 0, 4))


def test_a_line_of_any_length_is_handed_on_in_parts() -> None:
    line = b"x" * (2 * CHUNK_BYTES + 5)
    found = list(read_lines(io.BytesIO(b"a\n" + line + b"\nb\n")))
    parts = [part for part in found if isinstance(part, PartOfLine)]
    assert [[*one] for one in found if isinstance(one, Lines)] == [[b"a"], [b"b"]]
    assert b"".join(part.raw for part in parts) == line
    assert parts[0].offset == 2
    assert all(one.offset + len(one.raw) == next_one.offset for one, next_one in pairwise(parts))


# --- gzip ------------------------------------------------------------------------------------------------------------

LINES = b"".join(orjson.dumps(message(messageId=f"m-{n}", anonymousId=str(hash(n * 7919)))) + b"\n" for n in range(300))


def test_members_and_padding() -> None:
    assert len(read(gzip.compress(LINES) + gzip.compress(LINES) + b"\0" * 512)) == 600


@pytest.mark.parametrize("garbage", [b"garbage", b"\x1f", b"\0\0x", b"\x1f\x8b\xff\xff"])
def test_garbage_after_the_last_member_is_one_failure(garbage: bytes) -> None:
    packed = gzip.compress(LINES)
    *good, failure = read(packed + garbage)
    assert b"\n".join(good) + b"\n" == LINES  # type: ignore[arg-type]
    assert isinstance(failure, Failure)
    assert failure.reason == "malformed_gzip"
    assert garbage.endswith(failure.raw)


@pytest.mark.parametrize("name", ["x.ndjson.gz", "x.gz"])
@given(length=st.integers(2, len(gzip.compress(LINES)) - 1))
def test_a_cut_off_file_gives_what_can_be_unpacked(name: str, length: int) -> None:
    *good, failure = read(gzip.compress(LINES)[:length], name)
    whole = zlib.decompressobj(31).decompress(gzip.compress(LINES)[:length])
    assert isinstance(failure, Failure)
    # What may stand between documents is taken off the end, of a torn one too: a blank at which it was torn is lost.
    between = b", \t\r\n"
    assert b"\n".join([*good, failure.raw]).rstrip(between) == whole.rstrip(between)  # type: ignore[operator]
    assert failure.errors == (f": the file ends at byte {length}, before its content does (gzip: it is cut off)",)


@given(st.integers(20, len(gzip.compress(LINES)) - 10), st.integers(1, 255))
def test_damage_in_the_middle_ends_in_one_failure(place: int, flip: int) -> None:
    packed = bytearray(gzip.compress(LINES))
    packed[place] ^= flip
    found = read(bytes(packed))
    assert [isinstance(one, Failure) for one in found[:-1]].count(True) == 0
    assert isinstance(found[-1], Failure)
    assert found[-1].reason == "malformed_gzip"


def test_a_plain_file_named_gz_and_the_reverse() -> None:
    assert len(read(LINES, "x.ndjson.gz")) == len(read(gzip.compress(LINES), "x.ndjson")) == 300


@pytest.mark.parametrize(
    ("data", "words"),
    [("[]".encode("utf-16"), "UTF-16"), (b"PK\x03\x04...", "ZIP"), (b"\x28\xb5\x2f\xfd..", "zstd")],
)
def test_what_a_file_is_that_cannot_be_read(data: bytes, words: str) -> None:
    (failure,) = read(data)
    assert isinstance(failure, Failure)
    assert (failure.reason, failure.raw) == ("not_utf8", data)
    assert words in failure.errors[0]


@pytest.mark.parametrize(
    ("head", "name", "kind"),
    [
        (b"Obj\x01", "x.parquet", "avro"),
        (b"PAR1", "x.json", "parquet"),
        (b"damage", "x.avro", "avro"),
        (b'{"a": 1}\n', "x.avro", "lines"),
        (b'{"a": 1}\n', "x.json", "lines"),
        (b"[\n", "x.ndjson", "lines"),
        (b"[\n", "x.json", "documents"),
        (b"", "x", "documents"),
    ],
)
def test_content_decides(head: bytes, name: str, kind: str) -> None:
    assert kind_of(head, name) == kind


# --- bodies ----------------------------------------------------------------------------------------------------------


def test_a_body_says_once_what_holds_for_its_events() -> None:
    body: dict[str, Any] = {
        "batch": [message(), message(sentAt="own", context={"locale": "de"}, integrations={"x": False})],
        "sentAt": NOON, "receivedAt": NOON, "writeKey": "k",
        "context": {"library": "l", "locale": "en"}, "integrations": {"x": True, "y": True},
    }  # fmt: skip
    first, second = map(orjson.loads, split_body(orjson.dumps(body)))
    said = {"sentAt": NOON, "receivedAt": NOON, "context": body["context"], "integrations": body["integrations"]}
    assert first == message() | said
    assert second["sentAt"] == "own"
    assert second["context"] == {"library": "l", "locale": "de"}
    assert second["integrations"] == {"x": False, "y": True}


@pytest.mark.parametrize(
    "raw", [b"", b'{"batch": 1}', b'{"batch": [], "type": "track"}', b'["batch"]', b'{"batch": [', b'{"a": "batch"}']
)
def test_what_is_no_body_stays_as_it_is(raw: bytes) -> None:
    assert split_body(raw) == [raw]


def test_nothing_in_a_body_costs_its_neighbours() -> None:
    deep = "[" * 900 + "]" * 900
    raw = f'{{"batch": [5, null, {{"properties": {deep}}}, {json.dumps(message())}]}}'.encode()
    found = parsed(split_body(raw))
    assert [isinstance(one, Event) for one in found] == [False, False, False, True]

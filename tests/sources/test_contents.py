"""Files of all formats, sound, damaged and hostile: bounded jobs and watched folders read the same of them."""

from __future__ import annotations

import gzip
import io
import json
import os
from pathlib import Path
from typing import Any

import fastavro
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.io.files.containers import container_messages
from pipelines.io.files.ranges import UnreadableFileError, plan_ranges
from pipelines.io.files.watch import WatchSource
from pipelines.io.locations import parse_inputs
from pipelines.io.stream.found_records import failure_of, found_message
from pipelines.io.stream.message_coder import MessageCoder
from pipelines.io.stream.source import Progress, Reader
from pipelines.io.stream.source_options import SourceOptions
from pipelines.io.stream.watermark import StreamWatermark
from schemas.event import Event, Failure
from schemas.failure_reasons import REASONS
from tests.parse.made_messages import NOON, PARSER, message

ROWS = [
    {"messageId": f"m-{n}", "type": "track", "userId": "ada"}
    | {"event": "Seen", "timestamp": NOON, "properties": '{"a": 1}'}
    for n in range(60)
]
SYNC = b"synchronisation!"


def avro(rows: list[dict[str, Any]] = ROWS, codec: str = "null") -> bytes:
    fields = [{"name": name, "type": "string"} for name in ROWS[0]]
    file = io.BytesIO()
    schema = {"type": "record", "name": "Message", "fields": fields}
    fastavro.writer(file, schema, rows, codec=codec, sync_interval=400, sync_marker=SYNC)
    return file.getvalue()


def parquet(**options: Any) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(ROWS), file, row_group_size=20, **options)
    return file.getvalue()


LINES = b"".join(json.dumps(row | {"properties": {"a": 1}}).encode() + b"\n" for row in ROWS)
FILES = {
    "a.ndjson": LINES,
    "a.json": json.dumps([json.loads(line) for line in LINES.splitlines()], indent=1).encode(),
    "a.ndjson.gz": gzip.compress(LINES),
    "a.avro": avro(),
    "deflated.avro": avro(codec="deflate"),
    "a.avro.gz": gzip.compress(avro()),
    "a.parquet": parquet(),
    "checked.parquet": parquet(write_page_checksum=True, write_statistics=True, compression="gzip"),
    "a.parquet.gz": gzip.compress(parquet()),
}


def bounded(path: Path) -> list[bytes | Failure]:
    return [found for piece in plan_ranges(parse_inputs([str(path)])) for found in piece.messages()]  # type: ignore[arg-type]


def watched(path: Path) -> list[bytes | Failure]:
    options = SourceOptions(watch_seconds=0)
    (location,) = parse_inputs([f"watch:{path}"])
    source = WatchSource(location, options)  # type: ignore[arg-type]
    found = []
    progress = source.start(Reader(0, 1))
    for _ in range(3):
        batch = source.read(Reader(0, 1), progress, StreamWatermark(options.watermark_policy))
        progress = Progress(batch.positions)
        found += [record.message for record in batch.records]
    coder = MessageCoder()
    crossed = [coder.decode(coder.encode(message)) for message in found]
    return [failure_of(message) or message.raw for message in crossed]


def same(found: list[bytes | Failure]) -> list[Any]:
    return [one._replace(source="") if isinstance(one, Failure) else one for one in found]


@pytest.mark.parametrize("name", FILES)
def test_every_format_in_both_ways(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(FILES[name])
    found = bounded(path)
    parsed = [PARSER.parse(one, "x") for one in found if isinstance(one, bytes)]
    assert [event.message_id for event in parsed if isinstance(event, Event)] == [row["messageId"] for row in ROWS]
    assert same(watched(path)) == same(found)


@settings(max_examples=60)
@given(
    st.sampled_from(sorted(FILES)),
    st.lists(st.tuples(st.integers(0, 2**31), st.binary(max_size=3), st.integers(0, 3)), min_size=1, max_size=3),
)
def test_a_damaged_file_is_read_the_same_in_both_ways(
    tmp_path_factory: pytest.TempPathFactory, name: str, damage: list[tuple[int, bytes, int]]
) -> None:
    data = FILES[name]
    for place, insert, remove in damage:
        place %= len(data)  # noqa: PLW2901 - the place in this file
        data = data[:place] + insert + data[place + remove :]
    path = tmp_path_factory.mktemp("damaged") / name
    path.write_bytes(data)
    found = bounded(path)
    assert same(watched(path)) == same(found)
    assert found or not data.strip()
    for one in found:
        result = one if isinstance(one, Failure) else PARSER.parse(one, "x")
        assert isinstance(result, Event) or result.reason in REASONS


def hostile_avro(depth: int) -> bytes:
    """Good blocks, and between them one of a record that is nested in itself so deep that fastavro ends the process."""
    fields: list[dict[str, Any]] = [{"name": name, "type": "string"} for name in ROWS[0]]
    fields.append({"name": "next", "type": ["null", "Message"]})
    file = io.BytesIO()
    schema = {"type": "record", "name": "Message", "fields": fields}
    fastavro.writer(file, schema, [row | {"next": None} for row in ROWS[:4]], sync_interval=1, sync_marker=SYNC)
    blocks = file.getvalue().split(SYNC)
    record = b"".join(_text(row_value) for row_value in ROWS[9].values()) + b"\x02"
    payload = b"".join([record] * depth)[:-1] + b"\x00"
    return SYNC.join([*blocks[:3], b"\x02" + _long(len(payload)) + payload, *blocks[3:]])


def _text(value: str) -> bytes:
    return _long(len(value)) + value.encode()


def _long(number: int) -> bytes:
    number *= 2
    digits = bytearray()
    while number >= 0x80:
        digits.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*digits, number])


@pytest.mark.parametrize("depth", [3, 300, 900, 200_000])
def test_what_ends_the_decoder_costs_its_block(tmp_path: Path, depth: int) -> None:
    path = tmp_path / "a.avro"
    path.write_bytes(hostile_avro(depth))
    found = bounded(path)
    results = [one if isinstance(one, Failure) else PARSER.parse(one, "x") for one in found]
    good = [result.message_id for result in results if isinstance(result, Event)]
    assert [one for one in good if one != "m-9"] == ["m-0", "m-1", "m-2", "m-3"]
    if depth == 200_000:
        failures = [result for result in results if isinstance(result, Failure)]
        assert {failure.reason for failure in failures} == {"malformed_avro"}
        assert sum(len(failure.raw) for failure in failures) > depth
        assert list(container_messages(str(path), "avro", "x")) == list(container_messages(str(path), "avro", "x"))


def test_a_fault_of_our_own_is_no_failure_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.avro").write_bytes(avro())
    (location,) = parse_inputs([f"{tmp_path}/a.avro"])
    (piece,) = plan_ranges([location])  # type: ignore[list-item]
    (tmp_path / "a.avro").unlink()
    with pytest.raises(UnreadableFileError, match="cannot be read"):
        list(piece.messages())


@pytest.mark.parametrize("name", ["a.ndjson", "a.ndjson.gz", "a.avro", "a.json", "a.parquet"])
def test_a_file_that_was_cut_since_the_plan_fails_the_job(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(FILES[name])
    (piece,) = plan_ranges(parse_inputs([str(path)]))  # type: ignore[arg-type]
    os.truncate(path, len(FILES[name]) // 2)
    with pytest.raises(UnreadableFileError, match="when the job began"):
        list(piece.messages())


def test_no_sender_can_pass_for_a_failure_of_ours() -> None:
    forged = found_message(json.dumps(message()).encode(), "x")._replace(attributes={"tidemark.failure": "["})
    assert failure_of(forged) is None

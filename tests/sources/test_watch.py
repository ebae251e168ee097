"""Watched folders, read look by look under a clock that the test moves."""

import gzip
import io
import json
import os
from collections.abc import Iterable
from pathlib import Path

import fastavro
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.io.files.watch import WatchSource
from pipelines.io.files.watched_files import append_to_journal, of_positions, read_journal
from pipelines.io.locations import parse_input
from pipelines.io.stream.source import Batch, Progress, Reader
from pipelines.io.stream.source_options import SourceOptions
from pipelines.io.stream.watermark import StreamWatermark
from schemas.errors import InputError

ONLY = Reader(0, 1)
SECOND = 1_000_000
NOON = 1_780_000_000 * SECOND


class Watcher:
    """Looks at a folder again and again, as the runner would: state goes from look to look encoded."""

    def __init__(self, folder: Path, pattern: str = "*", **options: object) -> None:
        self.now_us = NOON
        self.options = SourceOptions(**{"out_of_orderness_seconds": 10, "idle_timeout_seconds": 30, **options})  # type: ignore[arg-type]
        location = parse_input(f"watch:{folder}/{pattern}")
        self.source = WatchSource(location, self.options, clock=lambda: self.now_us)  # type: ignore[arg-type]
        self.progress = self.source.start(ONLY)
        self.watermark = b""

    def look(self, after_seconds: float = 1) -> list[bytes]:
        self.now_us += int(after_seconds * SECOND)
        return [record.message.raw for record in self.batch().records]

    def batch(self) -> Batch:
        watermark = StreamWatermark(self.options.watermark_policy, self.watermark)
        batch = self.source.read(ONLY, self.progress, watermark)
        self.current_us = watermark.current_us()
        self.watermark = watermark.encode()
        self.progress = Progress(json.loads(json.dumps(batch.positions)))
        return batch


def put(path: Path, data: bytes, at_us: int = NOON) -> None:
    """Writes elsewhere and renames into place, as a writer should."""
    hidden = path.with_name("." + path.name)
    hidden.write_bytes(data)
    os.utime(hidden, ns=(at_us * 1_000, at_us * 1_000))
    hidden.rename(path)


def event(number: int, at: str = "2026-05-28T20:00:00Z") -> bytes:
    return json.dumps({"messageId": str(number), "timestamp": at}).encode()


def lines(numbers: Iterable[int]) -> bytes:
    return b"".join(event(number) + b"\n" for number in numbers)


def test_each_record_of_each_file_comes_once(tmp_path: Path) -> None:
    watcher = Watcher(tmp_path)
    assert watcher.look() == []
    put(tmp_path / "b.ndjson", lines([1, 2]))
    assert watcher.look() == [event(1), event(2)]
    put(tmp_path / "a.jsonl", lines([3]) + b"\n\r\n" + event(4) + b"\r\n")
    assert watcher.look() == [event(3), event(4)]
    assert watcher.look() == []


def test_a_grown_file_is_read_on_from_where_it_was_left(tmp_path: Path) -> None:
    watcher = Watcher(tmp_path)
    path = tmp_path / "live.ndjson"
    path.write_bytes(lines([1]) + event(2)[:10])
    assert watcher.look() == [event(1)], "the line that is being written waits"
    with path.open("ab") as file:
        file.write(event(2)[10:] + b"\n" + event(3))
    assert watcher.look() == [event(2)]
    assert watcher.look(0.5) == []
    assert watcher.look(0.5) == [event(3)], "it has not grown for a look: the file ends without a newline"
    assert watcher.look() == []


def test_a_file_that_was_replaced_by_a_shorter_one_is_read_anew(tmp_path: Path) -> None:
    watcher = Watcher(tmp_path)
    put(tmp_path / "x.ndjson", lines([1, 2]))
    watcher.look()
    put(tmp_path / "x.ndjson", lines([3]))
    assert watcher.look() == [event(3)]


@pytest.mark.parametrize("numbers", [[3, 4], [5, 6, 7], [1, 4, 5]])
def test_a_file_that_was_replaced_is_read_whole_whatever_its_size(tmp_path: Path, numbers: list[int]) -> None:
    watcher = Watcher(tmp_path)
    put(tmp_path / "x.ndjson", lines([1, 2]))
    watcher.look()
    put(tmp_path / "x.ndjson", lines(numbers), NOON + SECOND)
    assert watcher.look() == [event(number) for number in numbers]
    assert watcher.look() == []


def test_a_file_that_was_written_anew_in_its_place_is_read_whole(tmp_path: Path) -> None:
    watcher = Watcher(tmp_path)
    path = tmp_path / "x.ndjson"
    path.write_bytes(lines([1, 2]))
    watcher.look()
    path.write_bytes(lines([3, 4, 5]))
    assert watcher.look() == [event(3), event(4), event(5)]


def test_a_renamed_file_is_not_read_again(tmp_path: Path) -> None:
    watcher = Watcher(tmp_path)
    put(tmp_path / "x.ndjson", lines([1, 2]))
    watcher.look()
    (tmp_path / "x.ndjson").rename(tmp_path / "x.1.ndjson")
    put(tmp_path / "x.ndjson", lines([3]), NOON + SECOND)
    assert watcher.look() == [event(3)]


def test_a_file_whose_time_alone_changed_is_not_read_again(tmp_path: Path) -> None:
    watcher = Watcher(tmp_path)
    put(tmp_path / "x.ndjson", lines([1, 2]))
    watcher.look()
    os.utime(tmp_path / "x.ndjson", ns=(NOON * 2_000, NOON * 2_000))
    assert watcher.look() == []


@pytest.mark.parametrize("torn", [b'{"x', b"[1]", b'{"x": "y"}', b"\xff", b"[" * 100_000, b'{"a\\u0000b": 1}'])
def test_a_torn_journal_holds_nothing_back(tmp_path: Path, torn: bytes) -> None:
    journal = tmp_path / "journal"
    append_to_journal(str(journal), [b'{"a": 1}'])
    with journal.open("ab") as file:
        file.write(torn)
    for number in range(3):
        append_to_journal(str(journal), [json.dumps({"b": number}).encode()])
    read = read_journal(str(journal))
    assert (read["a"], read["b"]) == (1, 2)


def test_files_that_are_gone_are_forgotten(tmp_path: Path) -> None:
    watcher = Watcher(tmp_path)
    put(tmp_path / "x.ndjson", lines([1]))
    watcher.look()
    (tmp_path / "x.ndjson").unlink()
    watcher.look()
    assert watcher.progress.positions == {}


def test_large_files_are_read_in_parts_and_hold_the_watermark(tmp_path: Path) -> None:
    watcher = Watcher(tmp_path, max_poll_bytes=100)
    put(tmp_path / "x.ndjson", lines(range(5)))
    first, second = watcher.batch(), watcher.batch()
    assert (first.wait_seconds, second.wait_seconds) == (0, 0)
    assert watcher.current_us is None, "the rest may be older"
    last = watcher.batch()
    assert last.wait_seconds > 0
    assert watcher.current_us is not None
    read = [record.message.raw for batch in (first, second, last) for record in batch.records]
    assert read == [event(number) for number in range(5)]


def test_a_line_longer_than_a_part_is_still_one_record(tmp_path: Path) -> None:
    watcher = Watcher(tmp_path, max_poll_bytes=10)
    put(tmp_path / "x.ndjson", lines([1, 2]))
    assert watcher.look() + watcher.look() == [event(1), event(2)]


def test_older_files_come_first(tmp_path: Path) -> None:
    put(tmp_path / "a.ndjson", lines([2]), NOON - SECOND)
    put(tmp_path / "b.ndjson", lines([1]), NOON - 2 * SECOND)
    assert Watcher(tmp_path).look() == [event(1), event(2)]


@pytest.mark.parametrize("kind", ["ndjson.gz", "avro", "avro.gz", "parquet"])
def test_other_formats_are_read_whole(tmp_path: Path, kind: str) -> None:
    rows = [{"messageId": "1", "userId": "ann"}, {"messageId": "2", "userId": None}]
    buffer = io.BytesIO()
    if kind.startswith("avro"):
        fields = [{"name": "messageId", "type": "string"}, {"name": "userId", "type": ["null", "string"]}]
        fastavro.writer(buffer, {"type": "record", "name": "Event", "fields": fields}, rows)
    elif kind == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), buffer)
    else:
        buffer.write(b'{"messageId":"1","userId":"ann"}\n{"messageId":"2"}\n')
    data = buffer.getvalue()
    put(tmp_path / f"x.{kind}", gzip.compress(data) if kind.endswith(".gz") else data)
    watcher = Watcher(tmp_path)
    assert watcher.look() == [b'{"messageId":"1","userId":"ann"}', b'{"messageId":"2"}']
    assert watcher.look() == []


@pytest.mark.parametrize("name", ["x.ndjson.gz", "x.avro", "x.parquet"])
def test_the_bytes_of_a_broken_file_are_handed_on_to_fail(tmp_path: Path, name: str) -> None:
    put(tmp_path / name, b"broken" * 200_000)
    watcher = Watcher(tmp_path)
    assert b"".join(watcher.look()) == b"broken" * 200_000
    put(tmp_path / "good.ndjson", lines([1]))
    assert watcher.look() == [event(1)]


def test_the_watermark_trails_the_events_then_follows_the_clock(tmp_path: Path) -> None:
    watcher = Watcher(tmp_path)
    put(tmp_path / "x.ndjson", event(1, "2026-05-28T20:00:00Z") + b"\n" + event(2, "2099-01-01T00:00:00Z") + b"\n")
    watcher.look()
    assert watcher.current_us == NOON - 10 * SECOND, "a time after the file was written counts as that time"
    for _ in range(31):
        watcher.look()
    assert watcher.current_us == watcher.now_us - 10 * SECOND


def test_a_restart_goes_on_from_the_journal(tmp_path: Path) -> None:
    folder, journal = tmp_path / "in", tmp_path / "journal"
    folder.mkdir()
    options = {"watch_journal": str(journal)}
    put(folder / "x.ndjson", lines([1]))
    first = Watcher(folder, **options)
    batch = first.batch()
    first.source.acknowledge([batch.token])
    put(folder / "y.ndjson", lines([2]))
    lost = first.batch()
    assert len(lost.records) == 1, "read, but the job dies before it is written"
    with journal.open("ab") as file:
        file.write(b'{"cut off by the cra')
    second = Watcher(folder, **options)
    assert second.look() == [event(2)]
    second.source.acknowledge([b'{"z.ndjson": 5}'])
    read = {path: one.read_bytes for path, one in of_positions(read_journal(str(journal))).items()}
    assert read == {str(folder / "x.ndjson"): len(lines([1])), "z.ndjson": 5}, "a torn line costs itself only"


def test_what_was_read_before_can_be_given(tmp_path: Path) -> None:
    put(tmp_path / "x.ndjson", lines([1, 2]))
    watcher = Watcher(tmp_path, files_read={str(tmp_path / "x.ndjson"): len(lines([1]))})
    assert watcher.look() == [event(2)]


def test_a_pattern_that_catches_a_file_of_unknown_kind_is_refused_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("x")
    with pytest.raises(InputError, match="extension"):
        Watcher(tmp_path).source.count_readers()

"""History before live; nothing given twice by a restart; nothing handed on that is not in the journal."""

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from pipelines.io.journal.history_files import HistorySource
from pipelines.io.journal.history_first import BEFORE_ALL_US, HISTORY_US, Boot, JournaledSource, JournalSource
from pipelines.io.journal.journal import open_journal
from pipelines.io.journal.read_history import ReadHistoryAndLive, begin
from pipelines.io.locations import parse_inputs
from pipelines.io.stream.found_records import failure_of
from pipelines.io.stream.source import Batch, Progress, Reader, Record, StreamSource
from pipelines.io.stream.source_options import SourceOptions
from pipelines.io.stream.watermark import StreamWatermark
from schemas.event import Failure
from schemas.message import Message
from transforms.state.process import PROCESS

ONLY = Reader(0, 1)
OPTIONS = SourceOptions(out_of_orderness_seconds=10, max_poll_records=3)
NOON = 1_780_000_000_000_000


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    PROCESS.close()


def event(number: int) -> bytes:
    return json.dumps({"messageId": str(number), "timestamp": "2026-05-28T20:00:00Z"}).encode()


@dataclass(frozen=True)
class Given:
    """A live source of one batch, then nothing."""

    raws: tuple[bytes, ...]

    text = "given"

    def count_readers(self) -> int:
        return 1

    def start(self, reader: Reader) -> Progress:
        return Progress({"p": 0})

    def read(self, reader: Reader, progress: Progress, watermark: StreamWatermark) -> Batch:
        raws = self.raws[progress.positions["p"] :]
        watermark.track(["p"])
        if raws:
            watermark.observe("p", NOON, NOON)
        records = [Record(Message(raw, self.text, {"shop": "north"}), NOON) for raw in raws]
        return Batch(records, {"p": len(self.raws)}, b"token")

    def acknowledge(self, tokens: object) -> None:
        """Not asked here."""


class Run:
    """Reads a source batch by batch, as a runner would."""

    def __init__(self, source: StreamSource) -> None:
        self.source = source
        self.progress = source.start(ONLY)
        self.watermark = StreamWatermark(OPTIONS.watermark_policy)

    def batch(self) -> list[bytes]:
        batch = self.source.read(ONLY, self.progress, self.watermark)
        self.progress = self.progress.move_to(batch.positions)
        return [record.message.raw for record in batch.records]

    def to_the_end(self) -> list[list[bytes]]:
        batches = []
        while not self.progress.finished():
            batches += [found] if (found := self.batch()) else []
            assert self.watermark.current_us() is None, "the rest may be of any age"
        return batches


def start(folder: Path, run: str, *inputs: str) -> Boot:
    return begin(str(folder / "journal"), run, parse_inputs(list(inputs)) if inputs else ())


def live(boot: Boot, *numbers: int) -> Run:
    return Run(JournaledSource(Given(tuple(map(event, numbers))), boot, OPTIONS.watermark_policy))


def history(boot: Boot, pattern: str, options: SourceOptions = OPTIONS) -> Run:
    source = HistorySource(*parse_inputs([pattern]), options, boot)  # type: ignore[arg-type]
    return Run(JournaledSource(source, boot, OPTIONS.watermark_policy, live=False))


def test_a_live_source_waits_until_all_history_was_read(tmp_path: Path) -> None:
    file = tmp_path / "a.ndjson"
    file.write_bytes(event(1) + b"\n" + event(2))
    boot = start(tmp_path, "first", str(file))
    now = live(boot, 3)
    assert (now.batch(), now.watermark.current_us()) == ([], None)
    Run(JournalSource(boot, OPTIONS))
    assert now.batch() == [], "the file is still to come"
    assert history(boot, str(file)).to_the_end() == [[event(1), event(2)]]
    assert now.batch() == [event(3)]


def test_a_batch_of_history_is_bounded_in_records_and_in_bytes(tmp_path: Path) -> None:
    file = tmp_path / "a.ndjson"
    file.write_bytes(b"\n".join(map(event, range(7))))
    boot = start(tmp_path, "first", str(file))
    assert [len(batch) for batch in history(boot, str(file)).to_the_end()] == [3, 3, 1]
    two_events = replace(OPTIONS, max_poll_bytes=2 * len(event(0)))
    assert [len(batch) for batch in history(boot, str(file), two_events).to_the_end()] == [2, 2, 2, 1]


def test_a_live_source_that_is_idle_says_at_once_that_history_is_through(tmp_path: Path) -> None:
    boot = start(tmp_path, "first")
    Run(JournalSource(boot, OPTIONS))
    now = live(boot)
    assert now.batch() == []
    assert now.watermark.current_us() == BEFORE_ALL_US


def test_a_restart_reads_the_journal_in_order_of_arrival_and_nothing_twice(tmp_path: Path) -> None:
    boot = start(tmp_path, "first")
    Run(JournalSource(boot, OPTIONS))
    live(boot, 5, 3, 9, 1).batch()

    boot = start(tmp_path, "second")
    again = Run(JournalSource(boot, OPTIONS))
    assert again.to_the_end() == [[event(5), event(3), event(9)], [event(1)]]
    assert live(boot, 3, 4, 5).batch() == [event(4)], "3 and 5 come from the journal"


def test_a_batch_that_is_read_again_in_the_same_run_is_given_again(tmp_path: Path) -> None:
    boot = start(tmp_path, "first")
    Run(JournalSource(boot, OPTIONS))
    assert live(boot, 1, 2).batch() == live(boot, 1, 2).batch() == [event(1), event(2)]
    assert open_journal(boot.folder).last_number() == 2


def test_source_and_attributes_survive(tmp_path: Path) -> None:
    boot = start(tmp_path, "first")
    Run(JournalSource(boot, OPTIONS))
    live(boot, 1).batch()
    boot = start(tmp_path, "second")
    batch = JournalSource(boot, OPTIONS).read(ONLY, Progress({"all": 0}), StreamWatermark(OPTIONS.watermark_policy))
    assert batch.records == [Record(Message(event(1), "given", {"shop": "north"}), HISTORY_US)]


def test_what_came_too_late_once_is_not_timely_after_a_restart(tmp_path: Path) -> None:
    boot = start(tmp_path, "first")
    Run(JournalSource(boot, OPTIONS))
    live(boot, 1, 2).batch()
    late = Failure("too_late", ("/timestamp: too old",), "deduplicate", "2", event(2), {}, "given", 7)
    open_journal(boot.folder).set_late([late])
    batch = JournalSource(start(tmp_path, "second"), OPTIONS).read(
        ONLY, Progress({"all": 0}), StreamWatermark(OPTIONS.watermark_policy)
    )
    first, second = batch.records
    assert failure_of(first.message) is None
    assert failure_of(second.message) == late, "a deletion that is still to come must find it"


def test_what_was_erased_is_gone_from_the_file(tmp_path: Path) -> None:
    boot = start(tmp_path, "first")
    Run(JournalSource(boot, OPTIONS))
    secret = b'{"messageId": "m", "traits": {"email": "ann@example.com"}}'
    Run(JournaledSource(Given((secret, event(2))), boot, OPTIONS.watermark_policy)).batch()
    assert open_journal(boot.folder).erase(["m"]) == 1
    PROCESS.close()
    assert all(b"ann@example.com" not in file.read_bytes() for file in boot.folder.iterdir())
    assert Run(JournalSource(start(tmp_path, "second"), OPTIONS)).to_the_end() == [[event(2)]]


def test_files_of_every_size_are_read_in_bounded_batches(tmp_path: Path) -> None:
    raws = [event(number) for number in range(7)]
    (tmp_path / "a.ndjson.gz").write_bytes(gzip.compress(b"\n".join(raws)))
    (tmp_path / "b.ndjson").write_bytes(b"\n\n")
    (tmp_path / "c.ndjson").write_bytes(event(8) + b"\r\n")
    (tmp_path / "d.ndjson").touch()
    boot = start(tmp_path, "first", f"{tmp_path}/*.ndjson*")
    batches = history(boot, f"{tmp_path}/*.ndjson*").to_the_end()
    assert batches == [raws[:3], raws[3:6], raws[6:], [event(8)]]
    assert boot.histories == 2


def test_a_batch_of_a_compressed_file_can_be_read_again(tmp_path: Path) -> None:
    (tmp_path / "a.ndjson.gz").write_bytes(gzip.compress(b"\n".join(map(event, range(7)))))
    run = history(start(tmp_path, "first"), f"{tmp_path}/a.ndjson.gz")
    run.batch()
    before = run.progress
    second = run.batch()
    run.progress = before
    assert run.batch() == second == [event(3), event(4), event(5)]


def test_files_that_are_added_meanwhile_do_not_belong_to_it(tmp_path: Path) -> None:
    for name in "bd":
        (tmp_path / f"{name}.ndjson").write_bytes(event(ord(name)))
    run = history(start(tmp_path, "first"), f"{tmp_path}/*.ndjson")
    assert run.batch() == [event(ord("b"))]
    for name in "ace":
        (tmp_path / f"{name}.ndjson").write_bytes(event(ord(name)))
    assert run.to_the_end() == [[event(ord("d"))]]


def test_a_damaged_part_of_a_file_carries_its_failure_through_the_journal(tmp_path: Path) -> None:
    (tmp_path / "a.avro").write_bytes(b"Obj\x01 and then nothing that is Avro")
    history(start(tmp_path, "first"), f"{tmp_path}/a.avro").to_the_end()
    boot = start(tmp_path, "second")
    batch = JournalSource(boot, OPTIONS).read(ONLY, Progress({"all": 0}), StreamWatermark(OPTIONS.watermark_policy))
    failures = [failure_of(record.message) for record in batch.records]
    assert failures
    assert all(failure is not None and failure.reason == "malformed_avro" for failure in failures)


def test_the_same_input_given_twice_is_one_history(tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_bytes(event(1))
    location = f"{tmp_path}/a.ndjson"
    boot = start(tmp_path, "first", location, location)
    assert boot.histories == 2
    assert len(ReadHistoryAndLive(parse_inputs([location, location]), OPTIONS, boot)._sources) == 3


def test_another_journal_has_another_name(tmp_path: Path) -> None:
    first, second = start(tmp_path / "a", "run"), start(tmp_path / "b", "run")
    assert first.journal_id() != second.journal_id()
    PROCESS.close()
    assert start(tmp_path / "a", "later").journal_id() == first.journal_id()

"""The writer of a local output: what readers find when, what the journal hears, and how failures come to light."""

import contextlib
import sqlite3
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import duckdb
import orjson
import pytest

from pipelines.io.duckdb.stream_writer import (
    PublishingPace,
    UpdateWriter,
    WriteOptions,
    WriterBusyError,
    WriterClosedError,
    check_writers,
    close_writers,
    open_writer,
)
from pipelines.io.journal.erasing import PATIENCE, Erasing
from pipelines.io.journal.journal import Journal, open_journal
from pipelines.io.outputs import DuckDBOutput
from pipelines.io.stream.found_records import failure_of
from pipelines.io.stream.source import Record
from schemas.message import Message
from schemas.update import RowUpdate
from tests.live.stream_rows import update
from transforms.failed_events import failure_id
from transforms.state.process import PROCESS

NEVER = 1e6  # seconds between two writings: tests end by closing, which writes


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    PROCESS.close()


def output(folder: Path) -> DuckDBOutput:
    return DuckDBOutput(str(folder / "shop.duckdb"))


def writer(folder: Path, run: str, *, is_restart: bool = False) -> UpdateWriter:
    return open_writer(output(folder), WriteOptions(NEVER, str(folder / "stream"), run, is_restart))


def profiles(folder: Path) -> list[str]:
    with duckdb.connect(str(folder / "shop.duckdb"), read_only=True) as connection:
        return [row for (row,) in connection.execute("SELECT profile_id FROM profiles ORDER BY 1").fetchall()]


def event(message_id: str, *, withdrawn: bool = False, word: int = 1) -> RowUpdate:
    return update("events", word, withdrawn=withdrawn, message_id=message_id)


def journal(folder: Path, *message_ids: str) -> None:
    raws = [f'{{"messageId":"{message_id}"}}'.encode() for message_id in message_ids]
    open_journal(folder / "stream").append([Record(Message(raw, "given", {}), 0) for raw in raws], 0)


def in_journal(folder: Path) -> list[bytes]:
    return [one.record.message.raw for one in open_journal(folder / "stream").read(0, 1_000, 1_000, 1_000_000)]


def test_an_empty_stream_has_an_output_of_empty_tables(tmp_path: Path) -> None:
    writer(tmp_path, "first")
    close_writers()
    assert profiles(tmp_path) == []


def test_until_the_history_is_through_readers_find_what_the_last_run_left(tmp_path: Path) -> None:
    writer(tmp_path, "first").add([update("profiles", profile_id="ann"), update("profiles", profile_id="bob")])
    close_writers()
    writer(tmp_path, "second", is_restart=True).add([update("profiles", profile_id="ann")])
    close_writers()
    assert profiles(tmp_path) == ["ann", "bob"], "stopped before the history was through"
    third = writer(tmp_path, "third", is_restart=True)
    third.add([update("profiles", profile_id="ann")])
    third.end_boot()
    third.end_boot()
    third.add([update("profiles", profile_id="eve")])
    close_writers()
    assert profiles(tmp_path) == ["ann", "eve"]


def test_what_was_erased_leaves_the_journal_but_not_what_failed_or_came_back(tmp_path: Path) -> None:
    journal(tmp_path, "erased", "failed", "back", "stays", "never")
    writer(tmp_path, "first").add(
        [
            *(event(name) for name in ("erased", "failed", "back", "stays")),
            *(event(name, withdrawn=True, word=2) for name in ("erased", "failed", "back", "never")),
            event("back", word=3),
            update("failed_events", failure_id="f", message_id="failed", reason="alias_conflict", raw=b"not erased"),
        ]
    )
    close_writers()
    assert in_journal(tmp_path) == [b'{"messageId":"%s"}' % name for name in (b"failed", b"back", b"stays")]


def receipt(events: int, version: int = 1) -> RowUpdate:
    return update("deletions", version, receipt_id="r", counts=orjson.dumps({"events": events, "identity_links": 0}))


def erase(folder: Path, run: str, names: Sequence[str], *, is_restart: bool = False) -> None:
    """A run in which some events are erased, as far as the journal still has them."""
    left = [name for name in names if b'{"messageId":"%s"}' % name.encode() in in_journal(folder)]
    taken = writer(folder, run, is_restart=is_restart)
    taken.add([*(event(name, withdrawn=True, word=2) for name in left), receipt(len(left))])
    if is_restart:
        taken.end_boot()


def counted(folder: Path) -> list[str]:
    with duckdb.connect(str(folder / "shop.duckdb"), read_only=True) as connection:
        return [counts for (counts,) in connection.execute("SELECT counts::VARCHAR FROM deletions").fetchall()]


@pytest.mark.parametrize("killed", ["before the journal", "after it", "nowhere"])
def test_a_receipt_counts_once_whenever_the_run_is_killed(
    killed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between what the output says and what the journal forgets there is a moment."""
    names = [f"m{number}" for number in range(6)]
    journal(tmp_path, *names)
    real = Journal.erase

    def die(self: Journal, message_ids: Iterable[str], receipts: Mapping[str, str] | None = None) -> int:
        if killed == "after it":
            real(self, message_ids, receipts)
        raise SystemExit("killed")

    if killed != "nowhere":
        monkeypatch.setattr(Journal, "erase", die)
    erase(tmp_path, "first", names)
    with contextlib.suppress(SystemExit):
        close_writers()
    PROCESS.close()
    monkeypatch.setattr(Journal, "erase", real)
    for run in ("second", "third"):
        erase(tmp_path, run, names, is_restart=True)
        close_writers()
        assert counted(tmp_path) == ['{"events":6,"identity_links":0}']
        assert in_journal(tmp_path) == []


def test_messages_stay_until_their_receipt_has_counted_them(tmp_path: Path) -> None:
    erasing = Erasing()
    erasing.note(event("a", withdrawn=True))
    assert not erasing.is_counted(["a"])
    erasing.note(receipt(2))
    assert not erasing.is_counted(["a"]), "one more is on its way"
    erasing.note(event("b", withdrawn=True))
    assert erasing.is_counted(["a", "b"])
    erasing.done(["a", "b"])
    erasing.note(receipt(3, version=2))
    erasing.note(receipt(2, version=1))
    assert erasing.is_counted(["c"])
    assert not erasing.is_counted([])
    assert any(erasing.is_counted([]) for _ in range(PATIENCE)), "whoever is erased is erased"


def test_a_journal_of_an_earlier_release_takes_its_counts_from_the_output(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    with sqlite3.connect(tmp_path / "journal.sqlite") as connection:
        connection.execute("DELETE FROM about WHERE name <> 'id'")
    assert journal.receipts({"r": "{}"}) == {"r": "{}"}
    assert journal.receipts({"r": "{}", "new": "{}"}) == {"r": "{}"}, "once"
    PROCESS.close()


def test_what_came_too_late_is_read_again_as_the_failure_that_it_was(tmp_path: Path) -> None:
    journal(tmp_path, "late", "timely")
    late = update("failed_events", failure_id="f", raw=b'{"messageId":"late"}', reason="too_late", message_id="late")
    writer(tmp_path, "first").add([late])
    close_writers()
    read = [one.record.message for one in open_journal(tmp_path / "stream").read(0, 9, 9, 1_000_000)]
    assert [(one.raw, failure and failure.reason) for one in read for failure in [failure_of(one)]] == [
        (b'{"messageId":"late"}', "too_late"),
        (b'{"messageId":"timely"}', None),
    ]


def failed(raw: bytes, message_id: str | None = None, *, emptied: bool = False) -> RowUpdate:
    left = {"raw": b"", "errors": []} if emptied else {"raw": raw, "errors": [": wrong"]}
    number = failure_id("malformed_json", raw)
    return update(
        "failed_events",
        2 if emptied else 1,
        failure_id=number,
        reason="malformed_json",
        message_id=message_id,
        attributes=b"{}",
        **left,
    )


def test_what_failed_and_was_erased_leaves_the_journal(tmp_path: Path) -> None:
    torn, other = b'{"userId":"ann","email":"ann@example.com', b'{"userId":"bob'
    named = b'{"messageId":"m","userId":"ann"'
    records = [Record(Message(raw, "given", {}), 0) for raw in (torn, other, named)]
    open_journal(tmp_path / "stream").append(records, 0)
    given = writer(tmp_path, "first")
    given.add([failed(torn), failed(other), failed(named, "m")])
    given.add([failed(torn, emptied=True), failed(named, "m", emptied=True)])
    close_writers()
    assert in_journal(tmp_path) == [other]
    PROCESS.close()
    assert all(b"ann@example.com" not in file.read_bytes() for file in (tmp_path / "stream").iterdir())
    again = writer(tmp_path, "second", is_restart=True)
    again.add([failed(other)])
    again.end_boot()
    close_writers()
    with duckdb.connect(str(tmp_path / "shop.duckdb"), read_only=True) as connection:
        rows = connection.execute("SELECT raw, len(errors) FROM failed_events ORDER BY 1, 2").fetchall()
    assert rows == [(b"", 0), (b"", 0), (other, 1)], "the rows stay, with their reason"


def test_a_failure_that_gets_its_bytes_back_stays_in_the_journal(tmp_path: Path) -> None:
    raw = b'{"userId":"ann'
    open_journal(tmp_path / "stream").append([Record(Message(raw, "given", {}), 0)], 0)
    given = writer(tmp_path, "first")
    given.add([failed(raw), failed(raw, emptied=True), failed(raw)._replace(version=3)])
    close_writers()
    assert in_journal(tmp_path) == [raw]


def test_a_row_that_cannot_be_written_ends_the_job(tmp_path: Path) -> None:
    options = WriteOptions(0.01, str(tmp_path / "stream"), "first")
    failing = open_writer(output(tmp_path), options)
    failing.add([update("profiles", profile_id="ann", event_count="many")])
    failing._thread.join()
    with pytest.raises(RuntimeError, match="could not be written"):
        failing.add([])
    with pytest.raises(RuntimeError, match="could not be written"):
        check_writers()
    with pytest.raises(RuntimeError, match="could not be written"):
        close_writers()


def test_bundles_that_end_after_the_job_are_refused(tmp_path: Path) -> None:
    writer(tmp_path, "first")
    close_writers()
    with pytest.raises(WriterClosedError):
        writer(tmp_path, "first")


def test_another_process_is_refused(tmp_path: Path) -> None:
    writer(tmp_path, "first")
    program = (
        "from pathlib import Path\n"
        "from tests.live.test_live_output import *\n"
        f"with pytest.raises(WriterBusyError): writer(Path({str(tmp_path)!r}), 'second')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert WriterBusyError.__doc__


def test_what_takes_long_to_copy_is_copied_less_often_and_sooner_when_nothing_comes_in() -> None:
    assert PublishingPace().allows(0.0, quiet=False)
    slow = PublishingPace(started=100.0, ended=103.0)
    assert [slow.allows(now, quiet=False) for now in (108.9, 109.0, 132.9, 133.0)] == [False, False, False, True]
    assert [slow.allows(now, quiet=True) for now in (108.9, 109.0, 132.9, 133.0)] == [False, True, True, True]

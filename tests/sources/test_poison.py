"""Records and journals that nobody would send: none of them keeps a stream from reading, or from starting."""

from __future__ import annotations

import sqlite3
from contextlib import nullcontext
from pathlib import Path

import pytest

from pipelines.io.journal.journal import FILE_NAME, ErasedFailure, Journal
from pipelines.io.stream.event_time import UNKNOWN_US, read_event_time_us
from pipelines.io.stream.found_records import failure_of, found_message, received_records, timed_record
from pipelines.io.stream.source import Record
from schemas.event import Failure
from schemas.message import Message
from transforms.failed_events import failure_id

POISON = [
    b"",
    b"\xff\xfe",
    b"{",
    b"[" * 1_000_000,
    b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    b'{"messageId":' + b'{"a":' * 900 + b"1" + b"}" * 901,
    b'{"timestamp":' + b"[" * 300 + b"]" * 300 + b"}",
    b'{"timestamp": 1e400}',
    b'{"timestamp": 123456789012345678901234567890}',
    b'{"timestamp": "9999-12-31T24:00:00Z"}',
    b'{"timestamp": "\\ud800"}',
    b'{"receivedAt": true, "timestamp": "2026-01-01T00:00:00Z"}',
]


@pytest.mark.parametrize("raw", POISON)
@pytest.mark.parametrize("epoch", [None, "seconds"])
def test_a_record_without_a_time_moves_no_watermark(raw: bytes, epoch: None) -> None:
    assert read_event_time_us(raw, 5, epoch) == UNKNOWN_US


def test_numbers_have_a_time_on_request() -> None:
    raw = b'{"timestamp": 2}'
    assert read_event_time_us(raw, 5_000_000) == UNKNOWN_US
    assert read_event_time_us(raw, 5_000_000, "seconds") == 2_000_000
    assert read_event_time_us(b'{"receivedAt": 2.5}', 5_000_000, "milliseconds") == 2_500


def test_a_journal_takes_and_gives_everything(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    failure = Failure("malformed_avro", (": bytes",), "parse", None, b"Obj\x01\xff", {}, "x", None)
    messages = [Message(raw, "x", {"a": "\ufffd"}) for raw in POISON] + [found_message(failure, "x")]
    journal.append([Record(message, 0) for message in messages], 0)
    read = [one.record.message for one in journal.read(0, 100, 100, 10**9)]
    assert read == messages
    assert failure_of(read[-1]) == failure
    journal.close()


@pytest.mark.parametrize("attributes", ["", "{", "[1]", '{"a": ', "null"])
def test_half_a_row_of_a_journal_is_still_a_message(tmp_path: Path, attributes: str) -> None:
    journal = Journal(tmp_path)
    journal.append([Record(Message(b"{}", "x", {"a": "b"}), 7)], 0)
    journal.close()
    with sqlite3.connect(tmp_path / FILE_NAME) as connection:
        connection.execute("UPDATE messages SET attributes = ?", [attributes])
    connection.close()
    again = Journal(tmp_path)
    (found,) = again.read(0, 10, 10, 1000)
    assert found.record.message == Message(b"{}", "x", {})
    again.close()


def test_a_journal_of_an_earlier_version_is_read_on(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / FILE_NAME) as connection:
        connection.execute(
            "CREATE TABLE messages (number INTEGER PRIMARY KEY AUTOINCREMENT, digest BLOB NOT NULL UNIQUE, "
            "message_id TEXT, event_us INTEGER NOT NULL, raw BLOB NOT NULL, source TEXT NOT NULL, "
            "attributes TEXT NOT NULL, late INTEGER NOT NULL DEFAULT 0)"
        )
        connection.execute("INSERT INTO messages VALUES (1, x'00', 'm', 5, x'7b7d', 'x', '{}', 0)")
    connection.close()
    journal = Journal(tmp_path)
    journal.append([Record(Message(b"[]", "x", {}), 6)], 0)
    assert [one.record.message.raw for one in journal.read(0, 10, 10, 1000)] == [b"{}", b"[]"]
    journal.close()


def test_what_failed_is_erased_whether_or_not_the_journal_could_read_its_id(tmp_path: Path) -> None:
    raws = [b'{"messageId": "known"}', b"{", b'{"messageId": "large", "x": 0}', b'{"messageId": "other"}', b"["]
    failed = [
        ("schema_violation", "known"),
        ("malformed_json", None),
        ("too_large", None),
        ("schema_violation", "gone"),
    ]
    erased = [
        ErasedFailure(failure_id(reason, raw), reason, message_id)
        for raw, (reason, message_id) in zip([*raws[:3], b"not here"], failed, strict=True)
    ]
    journal = Journal(tmp_path)
    journal.append([Record(Message(raw, "x", {}), 7) for raw in raws], 0)
    journal.erase_failed(erased)
    assert [one.record.message.raw for one in journal.read(0, 10, 10, 1000)] == raws[3:]
    journal.close()


def test_a_history_that_a_kill_has_cut_off_stands_in_the_journal_once(tmp_path: Path) -> None:
    messages = [Message(raw, "x", {}) for raw in (b"1", b"2", b"1", b"3", b"2", b"1")]
    journal = Journal(tmp_path)
    journal.trust_sources(was_empty=True)
    journal.append_history(messages[:4], [None] * 4, 7, nullcontext())
    journal.append_history(messages[4:], [None] * 2, 7, nullcontext())
    journal.close()
    again = Journal(tmp_path)
    again.mend()
    assert [one.record.message.raw for one in again.read(0, 10, 10, 1000)] == [b"1", b"2", b"3"]
    left = again.append([Record(message, 7) for message in messages], again.last_number())
    assert not left, "all of it is known"
    again.close()


def test_the_events_of_a_body_are_records_of_their_own() -> None:
    raw = b'{"batch": [{"messageId": "1", "timestamp": "1970-01-01T00:00:02Z"}, 5], "sentAt": "x"}'
    first, second = received_records(Message(raw, "x", {"header": "h"}), 5_000_000, None)
    assert first.message.raw == b'{"messageId":"1","sentAt":"x","timestamp":"1970-01-01T00:00:02Z"}'
    assert (first.event_us, first.message.attributes) == (2_000_000, {"header": "h"})
    assert (second.message.raw, second.event_us) == (b"5", UNKNOWN_US)


def test_a_failure_moves_no_watermark() -> None:
    failure = Failure("too_large", ("x",), "parse", None, b'{"timestamp": "1970-01-01T00:00:02Z"}', {}, "x", None)
    assert timed_record(found_message(failure, "x"), 5_000_000, None).event_us == UNKNOWN_US

"""Every failure reason of a bounded job, from the bytes of the input to the row in `failed_events`."""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import Any

import fastavro
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas import failure_reasons as reasons
from tests.jobs.conftest import VIEWERS
from tests.jobs.job import Ran, Row, run_job, write_lines, write_segment
from tests.jobs.messages import message, track

# What only a stream finds (too_late), or an output that refuses rows.
NOT_HERE = {reasons.TOO_LATE, reasons.REJECTED_BY_OUTPUT}
Lines = list[bytes]


def line(message_id: str = "m1", **fields: Any) -> bytes:
    return orjson.dumps(track(message_id, "Product Viewed", **fields))


RETRACTED_DELETE = [message("d", "delete", userId="p"), message("r", "retract", retracts="d")]


def aliases(*pairs: str) -> Lines:
    """Aliases, a previous id and its user each, one minute after the other, among three users of their own."""
    world = "-".join(pairs)
    users = [track(f"{user} {world}", "Product Viewed", "11:00", userId=f"{user} {world}") for user in "pqr"]
    found = [
        message(f"a{at} {world}", "alias", f"12:0{at}", previousId=f"{pair[0]} {world}", userId=f"{pair[1]} {world}")
        for at, pair in enumerate(pairs)
    ]
    return [orjson.dumps(one) for one in [*users, *found]]


OPTIONS = ["--max_event_bytes=800", "--unplanned=fail", "--max_merges=1"]
# What is sent, and the place of the line that fails.
CASES: dict[str, tuple[Lines, int]] = {
    reasons.TOO_LARGE: ([line("large", properties={"text": "x" * 900})], 0),
    reasons.NOT_UTF8: ([b'{"messageId": "caf\xe9"}'], 0),
    reasons.MALFORMED_JSON: ([b'  {"messageId": "m1", '], 0),
    reasons.SCHEMA_VIOLATION: ([line("wrong", userId=5, properties={"price": "cheap"})], 0),
    reasons.UNPLANNED_EVENT: ([orjson.dumps(track("tea", "Tea Poured"))], 0),
    reasons.MISSING_IDENTIFIER: ([line("nobody", userId=None)], 0),
    reasons.BLOCKED_IDENTIFIER: ([line("blocked", userId="UNDEFINED")], 0),
    reasons.MISSING_TIMESTAMP: ([line("timeless", timestamp=None)], 0),
    reasons.TIMESTAMP_IN_FUTURE: ([line("early", receivedAt="2026-02-27T12:00:00Z")], 0),
    reasons.NOT_RETRACTABLE: ([orjson.dumps(one) for one in RETRACTED_DELETE], 1),
    reasons.ALIAS_CYCLE: (aliases("pq", "qp"), 4),
    reasons.ALIAS_CONFLICT: (aliases("pq", "pr"), 4),
    reasons.MERGE_LIMIT: (aliases("pq", "rq"), 4),
}


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """All cases in one run, and one event that is good."""
    folder = tmp_path_factory.mktemp("everything")
    write_segment(folder, "viewers", VIEWERS)
    lines = [line for lines, _ in CASES.values() for line in lines]
    write_lines(folder / "events" / "a.ndjson", [*lines, track("good", "Product Viewed", userId="bob")])
    return run_job(folder, *OPTIONS)


@pytest.mark.parametrize("reason", CASES)
def test_a_refused_record_is_kept_as_it_came(reason: str, everything: Ran) -> None:
    assert everything.status == 0, everything.err
    lines, place = CASES[reason]
    (failed,) = (row for row in everything.tables()["failed_events"] if row["reason"] == reason)
    assert failed["raw"] == lines[place]
    assert failed["source"] == str(everything.database.parent / "events")
    assert failed["errors"]
    assert f"{reason:<23} {1:>8}" in everything.out


def test_nothing_else_is_refused(everything: Ran) -> None:
    tables = everything.tables()
    assert len(tables["failed_events"]) == len(CASES)
    others = [line for lines, place in CASES.values() for at, line in enumerate(lines) if at != place]
    ids = {orjson.loads(line)["messageId"] for line in others} - {"d"}  # a deletion is in its own table
    assert {row["message_id"] for row in tables["events"]} == ids | {"good"}


def test_every_reason_has_its_case() -> None:
    damaged = {reasons.MALFORMED_GZIP, reasons.MALFORMED_AVRO, reasons.MALFORMED_PARQUET, reasons.CONFLICTING_DUPLICATE}
    assert set(CASES) | damaged | NOT_HERE == set(reasons.REASONS)


def test_all_violations_are_told_and_no_value(folder: Path) -> None:
    write_lines(folder / "events" / "a.ndjson", [line(userId=5, timestamp="soon", properties={"price": "cheap"})])
    (failed,) = run_job(folder).tables()["failed_events"]
    assert [error.partition(":")[0] for error in failed["errors"]] == ["/properties/price", "/timestamp", "/userId"]
    assert not any("cheap" in error or "soon" in error for error in failed["errors"])
    assert (failed["message_id"], failed["stage"]) == ("m1", "validate")


def test_of_two_contents_one_stands_whatever_comes_first(folder: Path) -> None:
    copies = [line(userId=user) for user in ("ann", "bob")]
    found = []
    for order in (copies, copies[::-1]):
        write_lines(folder / "events" / "a.ndjson", order)
        tables = run_job(folder).tables()
        (failed,), (event,) = tables["failed_events"], tables["events"]
        assert failed["reason"] == reasons.CONFLICTING_DUPLICATE
        assert {failed["raw"], line(userId=event["user_id"])} == set(copies)
        found.append((failed, event))
    assert found[0] == found[1]


def test_the_same_bad_record_again_is_a_duplicate(folder: Path) -> None:
    write_lines(folder / "events" / "a.ndjson", [b"nonsense", b"nonsense", track("m1", "Product Viewed")])
    ran = run_job(folder)
    assert len(ran.tables()["failed_events"]) == 1
    assert [one.split()[:2] for one in ran.out.splitlines() if one.startswith("  dup")] == [["duplicate", "1"]]


def avro(rows: list[Row]) -> bytes:
    file = io.BytesIO()
    fields = [{"name": name, "type": "string"} for name in rows[0]]
    schema = {"type": "record", "name": "event", "fields": fields}
    fastavro.writer(file, schema, rows, codec="deflate", sync_marker=b"0123456789abcdef", sync_interval=1)
    return file.getvalue()


def test_a_damaged_block_of_an_avro_file_costs_that_block(folder: Path) -> None:
    rows = [track(f"m{number}", "Product Viewed") for number in range(3)]
    whole = avro(rows)
    blocks = whole.split(b"0123456789abcdef")
    (folder / "events").mkdir()
    blocks[2] = blocks[2][:6] + b"\xff" * (len(blocks[2]) - 6)
    (folder / "events" / "a.avro").write_bytes(b"0123456789abcdef".join(blocks))
    tables = run_job(folder).tables()
    (failed,) = tables["failed_events"]
    assert failed["reason"] == reasons.MALFORMED_AVRO
    assert blocks[2] in failed["raw"]
    assert [row["message_id"] for row in tables["events"]] == ["m0", "m2"]


def test_what_can_be_unpacked_of_a_gzipped_file_is_read(folder: Path) -> None:
    lines = [orjson.dumps(track(f"m{number}", "Product Viewed")) for number in range(500)]
    packed = gzip.compress(b"\n".join(lines))
    (folder / "events").mkdir()
    (folder / "events" / "a.ndjson.gz").write_bytes(packed[: len(packed) // 2])
    tables = run_job(folder).tables()
    (failed,) = tables["failed_events"]
    assert failed["reason"] == reasons.MALFORMED_GZIP
    assert f"ends at byte {len(packed) // 2}" in failed["errors"][0]
    read = len(tables["events"])
    assert 0 < read < 500
    assert lines[read].startswith(failed["raw"])


def test_a_file_that_is_no_parquet_is_kept_whole(folder: Path) -> None:
    good = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([track("m1", "Product Viewed")]), good)
    (folder / "events").mkdir()
    (folder / "events" / "good.parquet").write_bytes(good.getvalue())
    (folder / "events" / "cut.parquet").write_bytes(good.getvalue()[:-10])
    tables = run_job(folder).tables()
    (failed,) = tables["failed_events"]
    assert (failed["reason"], failed["raw"]) == (reasons.MALFORMED_PARQUET, good.getvalue()[:-10])
    assert [row["message_id"] for row in tables["events"]] == ["m1"]


def test_line_breaks_are_no_part_of_a_record(folder: Path) -> None:
    (folder / "events").mkdir()
    for name, line_break in (("lf", b"\n"), ("crlf", b"\r\n")):
        for suffix, packed in (("ndjson", bytes), ("ndjson.gz", gzip.compress)):
            of_file = f"{name} {suffix}".encode()
            good = line(of_file.decode())
            content = line_break.join([b"bad one " + of_file, b"", b"   ", b"bad\rtwo " + of_file, good])
            (folder / "events" / f"{name}.{suffix}").write_bytes(packed(content))
    tables = run_job(folder).tables()
    files = [f"{name} {suffix}" for name in ("crlf", "lf") for suffix in ("ndjson", "ndjson.gz")]
    raw = {row["raw"].decode() for row in tables["failed_events"]}
    assert raw == {f"{start} {file}" for start in ("bad one", "bad\rtwo") for file in files}
    assert len(tables["failed_events"]) == len(raw)
    assert [row["message_id"] for row in tables["events"]] == files

"""Events in, tables out: who was in, from when to when, and why; what was refused, as it came."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import fastavro
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.jobs.job import run_job, write_lines, write_segment
from tests.jobs.messages import message, micros, track


def test_a_visitor_who_signs_in_and_buys(folder: Path) -> None:
    """Views without a name, signs in, buys: one profile; the view of before the sign-in counts from its own time."""
    write_segment(folder, "buyers", "event('Order Completed').within(1 hour).count() >= 1")
    visit: dict[str, Any] = {"userId": None, "anonymousId": "phone"}
    write_lines(
        folder / "events" / "shop.ndjson",
        [
            track("m1", "Product Viewed", "10:00", **visit),
            message("m2", "identify", "10:30", userId="ann", anonymousId="phone", traits={"email": "Ann@Example.com"}),
            track("m3", "Order Completed", "11:30", properties={"revenue": 20}),
            track("m4", "Product Viewed", "11:45", userId="bob"),
        ],
    )
    ran = run_job(folder, "--as_of=2026-03-01T12:00:00Z")
    assert (ran.status, ran.err) == (0, "")
    tables = ran.tables()

    profiles = {row["profile_id"]: row for row in tables["profiles"]}
    ann, stitched = profiles["user:ann"], profiles["anon:phone"]
    assert (ann["email"], ann["anonymous_ids"], ann["segments"]) == ("ann@example.com", ["phone"], ["buyers"])
    assert (ann["first_seen_at"], ann["last_seen_at"], ann["event_count"]) == (micros("10:00"), micros("11:30"), 3)
    assert (stitched["merged_into"], stitched["event_count"]) == ("user:ann", 0)
    stays = [
        (row["profile_id"], row["segment"], row["entered_at"], row["exited_at"], row["expires_at"], row["message_ids"])
        for row in tables["memberships"]
    ]
    assert stays == [
        ("user:ann", "buyers", micros("11:30"), None, micros("12:30"), ["m3"]),
        ("user:ann", "viewers", micros("10:00"), micros("11:00"), None, ["m1"]),
        ("user:bob", "viewers", micros("11:45"), None, micros("12:45"), ["m4"]),
    ]
    changes = [
        (row["change"], row["at"], row["cause"]) for row in tables["membership_changes"] if row["segment"] == "viewers"
    ]
    assert sorted(changes, key=lambda change: change[1]) == [
        ("entered", micros("10:00"), "event"),
        ("exited", micros("11:00"), "time"),
        ("entered", micros("11:45"), "event"),
    ]
    assert [(row["anonymous_id"], row["user_id"]) for row in tables["identity_links"]] == [("phone", "ann")]
    assert [row["profile_id"] for row in tables["events"]] == ["user:ann", "user:ann", "user:ann", "user:bob"]
    assert tables["failed_events"] == []


def test_every_format_gives_the_same(folder: Path) -> None:
    sent = [track(f"m{number}", "Product Viewed", f"1{number}:00", userId=f"u{number}") for number in range(6)]
    texts = [one | {"properties": '{"price":5}'} for one in sent]
    lines = [one | {"properties": {"price": 5}} for one in sent]
    write_lines(folder / "plain" / "a.ndjson", lines)
    write_lines(folder / "events" / "a.jsonl", lines[:2])
    (folder / "events" / "b.json.gz").write_bytes(gzip.compress(orjson.dumps(lines[2]) + b"\n"))
    pq.write_table(pa.Table.from_pylist(texts[3:5]), folder / "events" / "c.parquet")
    fields = [{"name": name, "type": "string"} for name in texts[0]]
    with (folder / "events" / "d.avro").open("wb") as file:
        fastavro.writer(file, {"type": "record", "name": "event", "fields": fields}, texts[5:])
    mixed, plain = run_job(folder), run_job(folder, events="plain")
    assert (mixed.status, plain.status) == (0, 0)
    assert mixed.tables() == plain.tables()
    assert len(plain.tables()["events"]) == 6


def test_several_inputs_are_united(folder: Path) -> None:
    for number in (1, 2):
        write_lines(
            folder / str(number) / "a.ndjson", [track("same", "Product Viewed"), track(f"m{number}", "Product Viewed")]
        )
    ran = run_job(folder, f"--input={folder / '2' / '*.ndjson'}", events="1")
    assert [row["message_id"] for row in ran.tables()["events"]] == ["m1", "m2", "same"]


def test_as_of_hides_what_comes_later_but_keeps_it(folder: Path) -> None:
    late = [
        track("late", "Product Viewed", "13:00"),
        track("new", "Product Viewed", "13:00", userId="zoe"),
        message("merge", "alias", "13:00", userId="zoe", previousId="ann"),
        message("gone", "delete", "13:00", userId="ann"),
    ]
    write_lines(folder / "events" / "a.ndjson", [track("m1", "Product Viewed", "12:00"), *late])
    tables = run_job(folder, "--as_of=2026-03-01T12:30:00Z").tables()
    assert [(row["profile_id"], row["event_count"]) for row in tables["profiles"]] == [("user:ann", 1)]
    assert [row["expires_at"] for row in tables["memberships"]] == [micros("13:00")]
    assert [row["message_id"] for row in tables["events"]] == ["gone", "late", "m1", "merge", "new"]
    assert tables["identity_links"] == tables["deletions"] == tables["failed_events"] == []


def test_a_deletion_erases_what_came_before_it(folder: Path) -> None:
    write_lines(
        folder / "events" / "a.ndjson",
        [
            track("m1", "Product Viewed", "10:00", anonymousId="phone"),
            track("m2", "Product Viewed", "10:10", userId=None, anonymousId="phone"),
            message("d1", "delete", "11:00", userId="ann"),
            track("m3", "Product Viewed", "12:00"),
        ],
    )
    ran = run_job(folder)
    tables = ran.tables()
    assert [row["message_id"] for row in tables["events"]] == ["m3"]
    assert [(row["profile_id"], row["first_seen_at"]) for row in tables["profiles"]] == [("user:ann", micros("12:00"))]
    assert tables["identity_links"] == []
    (receipt,) = tables["deletions"]
    assert (receipt["requested_at"], receipt["counts"]) == (micros("11:00"), {"events": 2, "identity_links": 1})
    assert "ann" not in str(receipt)
    assert "erased                  3" in ran.out


@pytest.mark.parametrize("lines", [[], [b"not json"]], ids=["none", "none that can be read"])
def test_no_events_make_empty_tables(folder: Path, lines: list[bytes]) -> None:
    write_lines(folder / "events" / "a.ndjson", lines)
    ran = run_job(folder)
    assert ran.status == 0
    assert {name: len(rows) for name, rows in ran.tables().items() if rows} == ({"failed_events": 1} if lines else {})

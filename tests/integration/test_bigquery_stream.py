"""The streaming writer against the emulator: the views read right at any time, whatever was written twice."""

from __future__ import annotations

import datetime
import subprocess
import sys
from typing import Any

import pytest

from pipelines.io.bigquery import stream as bigquery_stream
from pipelines.io.bigquery.compaction import compact
from pipelines.io.bigquery.load import write_dataset
from pipelines.io.bigquery.read import read_events
from pipelines.io.bigquery.stream import BigQueryStream
from pipelines.io.outputs import BigQueryOutput
from schemas.tables import EVENTS, MEMBERSHIPS, PROFILES, TABLES, Table
from services.service import Running
from tests.integration.bigquery_place import expect, query, rows_in
from tests.integration.test_bigquery_load import stage
from tests.io.faults import Plan, write_proxy
from tests.io.rows import NOON_US, block, block_value

pytest_plugins = ("tests.integration.bigquery_fixtures",)


def row_of(table: Table, number: int) -> dict[str, Any]:
    return {column.name: block_value(column, number) for column in table.columns}


def test_every_table_takes_rows(output: BigQueryOutput) -> None:
    stream = BigQueryStream(output)
    for table in TABLES:
        assert stream.write(table.name, [row_of(table, number) for number in range(4)]) == []
    assert stream.flush() == []
    expect(output, [0, 1, 2, 3])


def test_the_newest_version_stands_in_any_order(output: BigQueryOutput) -> None:
    stream = BigQueryStream(output)
    open_row = row_of(MEMBERSHIPS, 1) | {"exited_at": None, "row_version": 1}
    closed = open_row | {"exited_at": NOON_US + 5_000_000, "row_version": 2}
    for row in (closed, open_row, closed, open_row):  # late, and again
        stream.write("memberships", [row])
        stream.flush()
        [found] = rows_in(output, MEMBERSHIPS)
        assert found[3] is not None
    current = f"SELECT profile_id FROM `{output.dataset}.memberships` WHERE segment = @s AND exited_at IS NULL"  # noqa: S608
    assert query(current.replace("@s", f"'{open_row['segment']}'")) == []
    stream.write("memberships", [closed | {"row_version": 3}], deleted=True)
    stream.write("memberships", [open_row])
    stream.flush()
    assert rows_in(output, MEMBERSHIPS) == []
    again = closed | {"row_version": 4}
    stream.write("memberships", [again])
    stream.flush()
    assert len(rows_in(output, MEMBERSHIPS)) == 1


@pytest.mark.parametrize("seed", [1, 2])
def test_faults_on_the_way_leave_equal_rows(
    seed: int, output: BigQueryOutput, bigquery: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bigquery_stream, "REQUEST_BYTES", 2000)
    plan = Plan(seed, share=0.3)
    with write_proxy(bigquery.endpoints["grpc"], plan) as address, monkeypatch.context() as faulty:
        faulty.setenv("BIGQUERY_STORAGE_EMULATOR_HOST", address)
        stream = BigQueryStream(output, sleep=lambda _: None)
        for table in (PROFILES, MEMBERSHIPS, EVENTS):
            stream.write(table.name, [row_of(table, number) for number in range(12)])
        assert stream.flush() == []
    assert sum(plan.done.values()) - plan.done["none"] >= 3
    expect(output, list(range(12)), PROFILES, MEMBERSHIPS, EVENTS)


KILLED = """
import os, sys
from pipelines.io.bigquery import append as bigquery_append
from pipelines.io.bigquery import stream as bigquery_stream
from pipelines.io.outputs import BigQueryOutput
from schemas.tables import PROFILES
from tests.integration.test_bigquery_stream import row_of
bigquery_stream.REQUEST_BYTES = 1000
answers = []
class Killed(bigquery_append.Connection):
    def receive(self):
        answers.append(super().receive())
        if len(answers) == 2:
            os._exit(9)
        return answers[-1]
bigquery_append.Connection = Killed
stream = bigquery_stream.BigQueryStream(BigQueryOutput(*sys.argv[1:]))
stream.write("profiles", [row_of(PROFILES, number) for number in range(12)])
stream.flush()
"""


def test_a_killed_writer_is_made_good_by_the_next(output: BigQueryOutput) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, output.project, output.dataset], check=False)
    assert done.returncode == 9
    left = len(rows_in(output, PROFILES))
    assert 0 < left < 13
    stream = BigQueryStream(output)
    stream.write("profiles", [row_of(PROFILES, number) for number in range(12)])
    stream.flush()
    expect(output, list(range(12)), PROFILES)


def test_an_event_that_moves_or_goes_leaves_nothing_behind(output: BigQueryOutput) -> None:
    """Its timestamp, and so its partition, is not part of its key; and who takes it away knows only its id."""
    stream = BigQueryStream(output)
    first = row_of(EVENTS, 1) | {"row_version": 1}
    stream.write("events", [first, first, row_of(EVENTS, 2) | {"row_version": 1}])
    stream.flush()
    expect(output, [1, 2], EVENTS)
    moved = first | {"timestamp": NOON_US - 40 * 86_400_000_000, "row_version": 2}
    stream.write("events", [moved, moved, first])
    stream.flush()
    found = rows_in(output, EVENTS)
    assert [row[0] for row in found] == ["message_id-00001", "message_id-00002"]
    assert found[0][6] < found[1][6] - datetime.timedelta(days=39)
    stream.write("events", [{"message_id": "message_id-00001", "row_version": 3}], deleted=True)
    stream.write("events", [moved])
    stream.flush()
    expect(output, [2], EVENTS)
    batches = read_events(output.project, output.dataset, NOON_US, NOON_US + 100_000_000)
    assert [row["message_id"] for batch in batches for row in batch.to_pylist()] == ["message_id-00002"]
    compact(output)
    expect(output, [2], EVENTS)


def test_compaction_changes_no_view(output: BigQueryOutput) -> None:
    stream = BigQueryStream(output, now_us=lambda: NOON_US)  # long ago: what is gone may be forgotten
    for version in (1, 2, 3):
        stream.write("profiles", [row_of(PROFILES, number) | {"row_version": version} for number in range(4)])
    stream.write("profiles", [row_of(PROFILES, 4) | {"row_version": 1}])
    stream.write("profiles", [row_of(PROFILES, 4) | {"row_version": 2}], deleted=True)
    stream.write("events", [row_of(EVENTS, 1)] * 2)
    stream.flush()
    repeated = BigQueryStream(output, now_us=lambda: NOON_US + 1)
    repeated.write("profiles", [row_of(PROFILES, number) | {"row_version": 3} for number in range(4)])
    repeated.flush()
    recent = BigQueryStream(output)
    recent.write("profiles", [row_of(PROFILES, 5) | {"row_version": 2}], deleted=True)
    recent.flush()
    expect(output, [0, 1, 2, 3], PROFILES)
    compact(output)
    expect(output, [0, 1, 2, 3], PROFILES)
    expect(output, [1], EVENTS)
    left = query(f"SELECT profile_id, row_version FROM `{output.dataset}.profiles_log` ORDER BY profile_id")  # noqa: S608
    assert left == [(f"profile_id-{number:05}", 3 if number < 4 else 2) for number in (0, 1, 2, 3, 5)]


def test_a_batch_replaces_what_was_streamed_and_a_stream_goes_on_from_a_batch(
    output: BigQueryOutput, tmp_path: Any
) -> None:
    stream = BigQueryStream(output)
    stream.write("profiles", [row_of(PROFILES, number) | {"row_version": 99} for number in (1, 7)])
    stream.flush()
    write_dataset(output, tmp_path, stage(tmp_path, [block(PROFILES, [1, 2])]))
    expect(output, [1, 2], PROFILES)
    stream.write("profiles", [row_of(PROFILES, 2) | {"city": "Oslo", "row_version": 1}])
    stream.flush()
    city = PROFILES.column_names().index("city")
    assert [row[city] for row in rows_in(output, PROFILES)] == ["city-00001", "Oslo"]

"""The streaming writer against servers that refuse, fail and change their mind.

The server here does what the documentation of the Storage Write API says; the emulator, which knows no row errors and
no upserts, is asked in tests/integration.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import apache_beam as beam
import grpc
import pytest
from apache_beam.testing.util import assert_that, equal_to
from google.cloud.bigquery_storage_v1 import types
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from pipelines.io.bigquery import stream as bigquery_stream
from pipelines.io.bigquery.append_rows import VERSIONS_A_SECOND, AppendRows, version_within
from pipelines.io.bigquery.errors import BigQueryError
from pipelines.io.bigquery.refused import REASON
from pipelines.io.bigquery.stream import BigQueryStream
from pipelines.io.duckdb.stream_writer import WriteOptions
from pipelines.io.outputs import BigQueryOutput
from pipelines.io.tables.write_updates import WriteUpdates
from schemas.tables import FAILED_EVENTS, IDENTITY_LINKS, PROFILES
from schemas.update import RowUpdate, pack_updates
from tests.io.faults import Plan, serve, write_proxy
from tests.io.rows import NOON_US, block_value
from transforms.state.facts import deduplicate_version, device_version, user_version
from transforms.stream.rows import event_update

EVENT = ("m1", NOON_US, "page", "", None, "a", None, None, None, None, None, None)
Answer = Callable[[list[Any]], types.AppendRowsResponse]


class Server:
    """Keeps the rows that it accepts. `answer` decides about each request; None accepts it."""

    def __init__(self, answer: Callable[[str, list[Any]], types.AppendRowsResponse | None] | None = None) -> None:
        self.rows: dict[str, list[Any]] = {}
        self.requests: list[int] = []
        self.answer = answer or (lambda _table, _rows: None)

    def append_rows(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        for encoded in requests:
            request = types.AppendRowsRequest.deserialize(encoded)
            routing = ("x-goog-request-params", f"write_stream={request.write_stream}")
            assert routing in [tuple(pair) for pair in context.invocation_metadata()]
            table, rows = request.write_stream.split("/")[5], decode(request)
            self.requests.append(len(rows))
            response = self.answer(table, rows)
            if response is None:
                self.rows.setdefault(table, []).extend(rows)
                response = types.AppendRowsResponse(append_result=types.AppendRowsResponse.AppendResult())
            elif response.error.message == "abort":
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, "the request is no good")
            yield types.AppendRowsResponse.serialize(response)

    def get_write_stream(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        name = types.GetWriteStreamRequest.deserialize(request).name
        if "nowhere" in name:
            context.abort(grpc.StatusCode.NOT_FOUND, "no such table")
        return bytes(types.WriteStream.serialize(types.WriteStream(name=name)))

    @contextmanager
    def running(self) -> Iterator[str]:
        streams, calls = {"AppendRows": self.append_rows}, {"GetWriteStream": self.get_write_stream}
        with serve(streams, calls) as address:
            yield address


def decode(request: types.AppendRowsRequest) -> list[Any]:
    descriptor = request.proto_rows.writer_schema.proto_descriptor
    file = descriptor_pb2.FileDescriptorProto(name="read.proto", syntax="proto2")
    file.message_type.append(descriptor)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    message = message_factory.GetMessageClass(pool.FindMessageTypeByName(descriptor.name))
    return [message.FromString(row) for row in request.proto_rows.rows.serialized_rows]


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Callable[..., BigQueryStream]:
    def make(address: str, dataset: str = "shop", **options: Any) -> BigQueryStream:
        monkeypatch.setenv("BIGQUERY_STORAGE_EMULATOR_HOST", address)
        layout = options.pop("layout", "append")
        options = {"sleep": lambda _: None, "now_us": lambda: NOON_US, "retry_seconds": 20} | options
        return BigQueryStream(BigQueryOutput("shop-project", dataset, layout=layout), **options)

    return make


def links(*numbers: int) -> list[dict[str, Any]]:
    return [{column.name: block_value(column, number) for column in IDENTITY_LINKS.columns} for number in numbers]


def ids(rows: list[Any]) -> list[int]:
    return sorted(int(row.message_id.removeprefix("message_id-")) for row in rows)


def refusal(code: grpc.StatusCode, message: str = "") -> types.AppendRowsResponse:
    return types.AppendRowsResponse(error={"code": code.value[0], "message": message})


def test_rows_arrive_in_requests_of_bounded_size(
    connect: Callable[..., BigQueryStream], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bigquery_stream, "REQUEST_BYTES", 500)
    server = Server()
    with server.running() as address:
        stream = connect(address)
        assert stream.write("identity_links", links(*range(20))) == []
        assert server.rows == {}
        assert stream.flush() == []
        assert stream.flush() == []
    assert ids(server.rows["identity_links_log"]) == list(range(20))
    assert len(server.requests) > 2
    assert max(server.requests) < 10


def test_many_rows_are_sent_before_the_flush(
    connect: Callable[..., BigQueryStream], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bigquery_stream, "HELD_BYTES", 500)
    server = Server()
    with server.running() as address:
        connect(address).write("identity_links", links(*range(20)))
    assert ids(server.rows["identity_links_log"]) == list(range(20))


def test_versions_default_to_what_the_row_knows(connect: Callable[..., BigQueryStream]) -> None:
    server = Server()
    profile = {column.name: block_value(column, 5) for column in PROFILES.columns}
    with server.running() as address:
        stream = connect(address)
        stream.write("profiles", [profile | {"version": 8}])
        stream.write("identity_links", links(1))
        stream.write("identity_links", [links(2)[0] | {"row_version": 3}], deleted=True)
        stream.flush()
    assert [row.row_version for row in server.rows["profiles_log"]] == [8]
    versions = [(row.row_version, row.row_deleted, row.row_written_at) for row in server.rows["identity_links_log"]]
    assert versions == [(1, False, NOON_US), (3, True, NOON_US)]


def test_refused_rows_become_failures_and_their_neighbours_arrive(connect: Callable[..., BigQueryStream]) -> None:
    def answer(_table: str, rows: list[Any]) -> types.AppendRowsResponse | None:
        bad = [index for index, number in enumerate(ids(rows)) if number in {3, 7}]
        if not bad:
            return None
        response = refusal(grpc.StatusCode.INVALID_ARGUMENT)
        response.row_errors = [
            types.RowError(index=index, code=types.RowError.RowErrorCode.FIELDS_ERROR) for index in bad
        ]
        return response

    server = Server(answer)
    with server.running() as address:
        stream = connect(address)
        stream.write("identity_links", links(*range(10)))
        failures = stream.flush()
    assert ids(server.rows["identity_links_log"]) == [0, 1, 2, 4, 5, 6, 8, 9]
    assert [failure.message_id for failure in failures] == ["message_id-00003", "message_id-00007"]
    assert failures[0].reason == "rejected_by_output"
    assert failures[0].errors == (": FIELDS_ERROR",)
    assert failures[0].attributes == {"table": "identity_links"}
    assert b'"user_id":"user_id-00003"' in failures[0].raw


@pytest.mark.parametrize("message", ["", "abort"])
def test_a_request_that_is_refused_whole_is_halved(message: str, connect: Callable[..., BigQueryStream]) -> None:
    server = Server(lambda _table, rows: refusal(grpc.StatusCode.INVALID_ARGUMENT, message) if 6 in ids(rows) else None)
    with server.running() as address:
        stream = connect(address)
        stream.write("identity_links", links(*range(10)))
        failures = stream.flush()
    assert ids(server.rows["identity_links_log"]) == [0, 1, 2, 3, 4, 5, 7, 8, 9]
    assert [failure.message_id for failure in failures] == ["message_id-00006"]


def test_rows_are_checked_before_they_are_sent(connect: Callable[..., BigQueryStream]) -> None:
    server = Server()
    with server.running() as address:
        stream = connect(address)
        [failure] = stream.write("identity_links", [links(1)[0], links(2)[0] | {"timestamp": None}, links(3)[0]])
        stream.flush()
    assert ids(server.rows["identity_links_log"]) == [1, 3]
    assert failure.errors == ("/timestamp: is missing, expected TIMESTAMP",)


def test_an_oversize_row_is_a_failure(connect: Callable[..., BigQueryStream]) -> None:
    server = Server()
    row = {column.name: block_value(column, 1) for column in FAILED_EVENTS.columns}
    with server.running() as address:
        stream = connect(address)
        [failure] = stream.write("failed_events", [row | {"raw": b"x" * 9_500_000}, row])
        stream.flush()
    assert failure.errors[0].startswith(": 95")
    assert len(server.rows["failed_events_log"]) == 1


@pytest.mark.parametrize("code", ["UNAVAILABLE", "RESOURCE_EXHAUSTED", "ABORTED", "INTERNAL"])
def test_transient_codes_are_retried_with_back_off(code: str, connect: Callable[..., BigQueryStream]) -> None:
    answers = iter([refusal(grpc.StatusCode[code])] * 3)
    waits: list[float] = []
    server = Server(lambda _table, _rows: next(answers, None))
    with server.running() as address:
        stream = connect(address, sleep=waits.append)
        stream.write("identity_links", links(1, 2))
        assert stream.flush() == []
    assert ids(server.rows["identity_links_log"]) == [1, 2]
    assert len(waits) == 3
    assert all(0.125 <= wait <= 1.0 for wait in waits)


def storage_error(name: str) -> types.AppendRowsResponse:
    response = refusal(grpc.StatusCode.INVALID_ARGUMENT)
    detail = types.StorageError(code=types.StorageError.StorageErrorCode[name])
    response.error.details.add().Pack(types.StorageError.pb(detail))
    return response


def test_a_column_that_was_just_added_is_waited_for(connect: Callable[..., BigQueryStream]) -> None:
    answers = iter([storage_error("SCHEMA_MISMATCH_EXTRA_FIELDS")] * 2)
    server = Server(lambda _table, _rows: next(answers, None))
    with server.running() as address:
        stream = connect(address)
        stream.write("identity_links", links(1, 2))
        assert stream.flush() == []
    assert ids(server.rows["identity_links_log"]) == [1, 2]


def test_a_permanent_refusal_fails_with_the_cause(connect: Callable[..., BigQueryStream]) -> None:
    response = storage_error("INVALID_STREAM_TYPE")
    for answer, cause in ((refusal(grpc.StatusCode.PERMISSION_DENIED), "code 7"), (response, "INVALID_STREAM_TYPE")):
        with Server(lambda _table, _rows, answer=answer: answer).running() as address:
            stream = connect(address)
            stream.write("identity_links", links(1))
            with pytest.raises(BigQueryError, match=f"append to identity_links_log: {cause}"):
                stream.flush()


def test_a_missing_table_fails_before_a_row_is_sent(connect: Callable[..., BigQueryStream]) -> None:
    server = Server()
    with server.running() as address:
        stream = connect(address, dataset="nowhere")
        stream.write("identity_links", links(1))
        with pytest.raises(BigQueryError, match="open identity_links_log: NotFound"):
            stream.flush()
    assert server.requests == []


def test_a_fault_that_lasts_fails(connect: Callable[..., BigQueryStream]) -> None:
    with Server(lambda _table, _rows: refusal(grpc.StatusCode.UNAVAILABLE)).running() as address:
        stream = connect(address, retry_seconds=0)
        stream.write("identity_links", links(1))
        with pytest.raises(BigQueryError, match="gave up after 0 s: code 14"):
            stream.flush()


@pytest.mark.parametrize("layout", ["append", "cdc"])
@pytest.mark.parametrize("seed", range(5))
def test_faults_leave_the_newest_versions(
    layout: str, seed: int, connect: Callable[..., BigQueryStream], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Versions 1 to 9 of five rows, in another order, through a proxy that loses, repeats and delays requests."""
    monkeypatch.setattr(bigquery_stream, "REQUEST_BYTES", 300)
    server = Server()
    plan = Plan(seed, share=0.3)
    with server.running() as upstream, write_proxy(upstream, plan) as address:
        stream = connect(address, layout=layout)
        for version, number in itertools.product((3, 9, 1, 5), range(5)):
            rows = [links(number)[0] | {"row_version": version}]
            stream.write("identity_links", rows, deleted=(number == 4 and version == 9))
        assert stream.flush() == []
    assert sum(plan.done.values()) > plan.done["none"]
    newest = newest_rows(server.rows["identity_links_log" if layout == "append" else "identity_links"], layout)
    assert sorted(newest) == [f"anonymous_id-{number:05}" for number in range(4)]


def newest_rows(rows: list[Any], layout: str) -> dict[str, Any]:
    """What the view, or BigQuery's upserts by change sequence number, make of the rows."""
    kept: dict[str, tuple[int, bool, Any]] = {}
    for row in rows:
        if layout == "append":
            version, deleted = row.row_version, row.row_deleted
        else:
            version, deleted = int(row._CHANGE_SEQUENCE_NUMBER, 16), row._CHANGE_TYPE == "DELETE"
        if row.anonymous_id not in kept or kept[row.anonymous_id][0] <= version:
            kept[row.anonymous_id] = (version, deleted, row)
    assert {version for version, _, _ in kept.values()} == {9}
    return {key: row for key, (_, deleted, row) in kept.items() if not deleted}


def test_a_pipeline_appends_and_gets_the_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server()
    rows = [tuple(row.values()) for row in links(1, 2, 3)]
    bad = (*rows[1][:2], None, rows[1][3])
    changes = [
        RowUpdate("identity_links", rows[0], 4),
        RowUpdate("identity_links", bad, 4),
        RowUpdate("identity_links", (*rows[2][:3], None), 5, withdrawn=True),
    ]
    with server.running() as address:
        monkeypatch.setenv("BIGQUERY_STORAGE_EMULATOR_HOST", address)
        with beam.Pipeline(runner="FnApiRunner") as pipeline:
            failures = (
                pipeline | beam.Create(changes) | AppendRows(BigQueryOutput("shop-project", "shop"), launched_at=7)
            )
            ids_of_failures = failures | "Ids" >> beam.Map(lambda failure: failure.message_id)
            assert_that(ids_of_failures, equal_to(["message_id-00002"]))
    written = {row.anonymous_id: (row.row_version, row.row_deleted) for row in server.rows["identity_links_log"]}
    first = 7 * 2**32
    assert written == {"anonymous_id-00001": (first + 4, False), "anonymous_id-00003": (first + 5, True)}


def test_what_a_later_job_says_is_newer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The later one starts without state: its versions begin anew."""
    server = Server()
    row = tuple(links(1)[0].values())
    with server.running() as address:
        monkeypatch.setenv("BIGQUERY_STORAGE_EMULATOR_HOST", address)
        for launched_at, version in ((1_767_225_600, 900), (1_767_225_601, 1)):
            with beam.Pipeline(runner="FnApiRunner") as pipeline:
                update = pipeline | beam.Create([RowUpdate("identity_links", row, version)])
                _ = update | AppendRows(BigQueryOutput("shop-project", "shop"), launched_at)
    earlier, later = (row.row_version for row in server.rows["identity_links_log"])
    assert earlier < later < 2**63


@pytest.mark.parametrize(
    ("version", "greater"),
    [
        (user_version(0, 1), user_version(0, 2)),
        (user_version(0, 2**24), device_version(0, 1)),
        (device_version(0, 2**24), deduplicate_version(1)),
        (user_version(device_version(deduplicate_version(1), 3), 9), device_version(deduplicate_version(1), 4)),
    ],
)
def test_versions_of_an_event_keep_their_order_and_stay_below_those_of_a_later_job(version: int, greater: int) -> None:
    lesser, more = (version_within(event_update(EVENT, "anon:a", one)) for one in (version, greater))
    assert 0 <= lesser < more < VERSIONS_A_SECOND


def test_of_counters_beyond_all_bounds_the_greater_is_never_the_lesser() -> None:
    most = deduplicate_version(2**13)
    told = [device_version(0, 2**13), user_version(device_version(0, 2**14), 1), most, user_version(most, 5)]
    within = [version_within(event_update(EVENT, "anon:a", version)) for version in told]
    assert within == sorted(within)
    assert within[-1] < VERSIONS_A_SECOND


def test_a_refused_row_is_written_to_failed_events(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = refusal(grpc.StatusCode.INVALID_ARGUMENT)
    server = Server(lambda table, rows: refused if table == "identity_links_log" and 2 in ids(rows) else None)
    updates = [RowUpdate("identity_links", tuple(row.values()), 1) for row in links(1, 2, 3)]
    run_updates(server, updates, monkeypatch)
    assert ids(server.rows["identity_links_log"]) == [1, 3]
    [failed] = server.rows["failed_events_log"]
    assert (failed.reason, failed.message_id, list(failed.errors)) == (
        REASON,
        "message_id-00002",
        [": INVALID_ARGUMENT"],
    )


def test_a_failure_that_cannot_be_written_ends_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(lambda _table, _rows: refusal(grpc.StatusCode.INVALID_ARGUMENT))
    updates = [RowUpdate("identity_links", tuple(row.values()), 1) for row in links(1)]
    with pytest.raises(RuntimeError, match="failed_events cannot hold a failure: : INVALID_ARGUMENT"):
        run_updates(server, updates, monkeypatch)


def run_updates(server: Server, updates: list[RowUpdate], monkeypatch: pytest.MonkeyPatch) -> None:
    with server.running() as address:
        monkeypatch.setenv("BIGQUERY_STORAGE_EMULATOR_HOST", address)
        with beam.Pipeline(runner="FnApiRunner") as pipeline:
            packed = pipeline | beam.Create([pack_updates(updates)])
            _ = packed | WriteUpdates(BigQueryOutput("shop-project", "shop"), WriteOptions())


def test_rows_of_a_failed_bundle_are_forgotten(connect: Callable[..., BigQueryStream]) -> None:
    server = Server()
    with server.running() as address:
        stream = connect(address)
        stream.write("identity_links", links(1))
        stream.discard()
        stream.write("identity_links", links(2))
        stream.flush()
    assert ids(server.rows["identity_links_log"]) == [2]

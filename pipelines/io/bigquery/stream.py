"""Rows into BigQuery while a stream runs: the Storage Write API's default stream, in batches.

Comes after whatever makes rows; used from a DoFn: `write` for each element, `flush` in `finish_bundle`. All tables'
requests are under way at once, over connections that stay open (append.py).

Delivery: when `flush` returns, every row has been accepted at least once, or is among the failures it returned. A row
that was sent twice is one row to a reader: the views keep one row per key, the one with the highest version. So a
bundle may be repeated, and rows may arrive in any order.

Errors:
    BigQueryError: the service refused for good (permissions, no such table, another schema), or a fault outlasted the
        retries. The bundle fails; what was sent of it will be sent again, and does no harm.
"""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import grpc
from google.api_core import exceptions
from google.cloud.bigquery_storage_v1 import types

from pipelines.io.bigquery.append import Connection, Connections, connections_of_process
from pipelines.io.bigquery.errors import BigQueryError
from pipelines.io.bigquery.refused import refused_row
from pipelines.io.bigquery.rows import RowEncoder, RowError
from pipelines.io.bigquery.service import RETRY_SECONDS, back_off, is_transient, retried
from pipelines.io.outputs import BigQueryOutput
from schemas.bigquery import log_name
from schemas.event import Failure
from schemas.tables import TABLES, Table

REQUEST_BYTES = 2_000_000
"""Rows are sent together up to this size; BigQuery takes 10 MB, larger requests were no faster."""

HELD_BYTES = 32_000_000
"""Rows held back before `write` sends them by itself."""

_RETRIED_CODES = {
    grpc.StatusCode[name].value[0]
    for name in (
        "CANCELLED",
        "UNKNOWN",
        "DEADLINE_EXCEEDED",
        "RESOURCE_EXHAUSTED",
        "ABORTED",
        "INTERNAL",
        "UNAVAILABLE",
    )
}
_RETRIED_STORAGE_ERRORS = {"SCHEMA_MISMATCH_EXTRA_FIELDS"}
"""The tables have been checked: this is a column that was added a moment ago, and that not all of BigQuery knows of."""

_INVALID_ARGUMENT = grpc.StatusCode.INVALID_ARGUMENT.value[0]
_RETRIED_ERRORS = (exceptions.InternalServerError, exceptions.Unknown, exceptions.ResourceExhausted)


class _Row(NamedTuple):
    encoded: bytes
    values: Mapping[str, Any]


_Batch = list[_Row]


class BigQueryStream:
    """Writes rows of any table of one dataset. One per DoFn instance; not shared between threads.

    Args:
        output: the dataset; its tables must exist (see tables.py).
        connections: to the Storage Write API; by default those that all writers of this process share.
        sleep: waits for a number of seconds between tries.
        now_us: microseconds since the epoch, for `row_written_at`.
        retry_seconds: how long a fault may last before it fails the bundle.
        tables: those that may be written.
    """

    def __init__(
        self,
        output: BigQueryOutput,
        connections: Connections | None = None,
        *,
        sleep: Callable[[float], object] = time.sleep,
        now_us: Callable[[], int] = lambda: time.time_ns() // 1000,
        retry_seconds: float = RETRY_SECONDS,
        tables: Sequence[Table] = TABLES,
    ) -> None:
        self._connections = connections or connections_of_process()
        self._sleep = sleep
        self._now_us = now_us
        self._retry_seconds = retry_seconds
        self._tables = {table.name: _Target(table, output) for table in tables}

    def write(self, table: str, rows: Iterable[Mapping[str, Any]], *, deleted: bool = False) -> list[Failure]:
        """Take rows of a table; they are sent by `flush`, or before when they are many.

        Args:
            table: the table's name.
            rows: values by column, as in a `TableBlock`. `row_version` may be among them: of the rows with one key,
                the one with the highest stands. By default it is the row's `version`, else its `recorded_at`, else 1.
            deleted: the rows with these keys are gone; of their values only the keys count.

        Returns:
            The rows that cannot be written.
        """
        target = self._tables[table]
        written_at = self._now_us()
        failures = []
        for row in rows:
            values = dict(row)
            version = values.pop("row_version", None)
            try:
                version = _default_version(values) if version is None else version
                target.add(_Row(target.encoder.encode(values, version, deleted, written_at), row))
            except RowError as error:
                failures.append(refused_row(table, row, error.errors))
        if sum(one.held_bytes for one in self._tables.values()) >= HELD_BYTES:
            failures += self.flush()
        return failures

    def flush(self) -> list[Failure]:
        """Send all rows, and wait until BigQuery has them. Returns those that it refused."""
        under_way = [_Sending(target, target.take()) for target in self._tables.values() if target.held]
        try:
            for sending in under_way:  # all are sent before the first answer is waited for
                self._send(sending)
            return [failure for sending in under_way for failure in self._complete(sending)]
        finally:
            for sending in under_way:
                sending.hang_up()

    def discard(self) -> None:
        """Forget the rows that were not sent: those of a bundle that failed."""
        for target in self._tables.values():
            target.take()

    def _send(self, sending: _Sending) -> None:
        """Puts every batch on its way."""
        target = sending.target
        try:
            retried(
                f"open {target.name}",
                lambda: self._connections.ask_for(target.stream),
                sleep=self._sleep,
                seconds=self._retry_seconds,
            )
        except exceptions.GoogleAPICallError as error:
            raise BigQueryError(f"open {target.name}: {type(error).__name__}") from error
        sending.connection = self._connections.take(target.stream)
        for batch in sending.batches:
            sending.connection.send(target.request(batch))

    def _complete(self, sending: _Sending) -> list[Failure]:
        """Until every batch is accepted or refused; a batch that is refused as a whole is halved and sent again."""
        failures: list[Failure] = []
        delays, until = back_off(), None
        while True:
            before = len(sending.batches)
            fault = self._receive(sending, failures)
            if not sending.batches:
                return failures
            if fault is not None:
                if len(sending.batches) < before or until is None:  # it goes on, if slowly: the clock starts again
                    delays, until = back_off(), time.monotonic() + self._retry_seconds
                delay = next(delays)
                if time.monotonic() + delay > until:
                    name = sending.target.name
                    raise BigQueryError(f"append to {name}: gave up after {self._retry_seconds:.0f} s: {fault}")
                self._sleep(delay)
            self._send(sending)

    def _receive(self, sending: _Sending, failures: list[Failure]) -> str | None:
        """Takes off the batches that are settled, leaves those to send again. Returns the fault that ended it."""
        again: list[_Batch] = []
        fault: str | None = None
        target, batches = sending.target, sending.batches
        try:
            while batches:
                response = sending.receive()
                batch = batches.popleft()
                if not response.error.code and not response.row_errors:
                    continue
                passing = "" if response.row_errors else _passing_fault(response)
                if passing:
                    fault = passing
                    again.append(batch)
                else:
                    again.extend(_without_refused(target, batch, response, failures))
        except exceptions.InvalidArgument as error:
            # The connection ended at the first batch without an answer: that one is the cause.
            if not batches:
                raise BigQueryError(f"append to {target.name}: {type(error).__name__}") from error
            again.extend(_halved(target, batches.popleft(), failures, "INVALID_ARGUMENT"))
        except exceptions.GoogleAPICallError as error:
            if not is_transient(error) and not isinstance(error, _RETRIED_ERRORS):
                raise BigQueryError(f"append to {target.name}: {type(error).__name__}") from error
            fault = type(error).__name__
        else:
            if fault is None:
                self._connections.give_back(sending.let_go())
        sending.hang_up()
        batches.extendleft(reversed(again))
        return fault


class _Sending:
    """The batches of one table that are on their way, and the connection that they went over."""

    def __init__(self, target: _Target, batches: deque[_Batch]) -> None:
        self.target = target
        self.batches = batches
        self.connection: Connection | None = None

    def receive(self) -> types.AppendRowsResponse:
        if self.connection is None:
            raise RuntimeError("nothing was sent")
        return self.connection.receive()

    def let_go(self) -> Connection:
        if self.connection is None:
            raise RuntimeError("nothing was sent")
        connection, self.connection = self.connection, None
        return connection

    def hang_up(self) -> None:
        if self.connection is not None:
            self.let_go().close()


class _Target:
    """A table, and its rows that were not sent yet."""

    def __init__(self, table: Table, output: BigQueryOutput) -> None:
        self.name = log_name(table) if output.layout == "append" else table.name
        self.table = table.name
        self.stream = (
            f"projects/{output.project}/datasets/{output.dataset}/tables/{self.name}/streams/_default"  # at least once
        )
        self.encoder = RowEncoder(table, output.layout)
        self.held: _Batch = []
        self.held_bytes = 0

    def add(self, row: _Row) -> None:
        self.held.append(row)
        self.held_bytes += len(row.encoded)

    def take(self) -> deque[_Batch]:
        rows, self.held, self.held_bytes = self.held, [], 0
        return deque(_batches(rows))

    def request(self, batch: _Batch) -> types.AppendRowsRequest:
        return types.AppendRowsRequest(
            write_stream=self.stream,
            proto_rows=types.AppendRowsRequest.ProtoData(
                writer_schema=types.ProtoSchema(proto_descriptor=self.encoder.descriptor),
                rows=types.ProtoRows(serialized_rows=[row.encoded for row in batch]),
            ),
        )


def _default_version(row: Mapping[str, Any]) -> int:
    for column in ("version", "recorded_at"):
        value = row.get(column)
        if isinstance(value, int):
            return value
    return 1


def _batches(rows: Sequence[_Row]) -> Iterator[_Batch]:
    """The rows in order, in batches of at most REQUEST_BYTES, or of one row."""
    batch: _Batch = []
    size = 0
    for row in rows:
        if batch and size + len(row.encoded) > REQUEST_BYTES:
            yield batch
            batch, size = [], 0
        batch.append(row)
        size += len(row.encoded)
    if batch:
        yield batch


def _without_refused(
    target: _Target, batch: _Batch, response: types.AppendRowsResponse, failures: list[Failure]
) -> list[_Batch]:
    """What to send again of a batch that was refused, none of whose rows was written.

    Raises:
        BigQueryError: it is not the rows' fault.
    """
    if not response.row_errors:
        if response.error.code != _INVALID_ARGUMENT or _storage_error(response):
            cause = _storage_error(response) or f"code {response.error.code}"
            raise BigQueryError(f"append to {target.name}: {cause}")
        return _halved(target, batch, failures, "INVALID_ARGUMENT")
    refused = {error.index: error.code for error in response.row_errors}
    for index, code in sorted(refused.items()):
        name = types.RowError.RowErrorCode(code).name
        failures.append(refused_row(target.table, batch[index].values, (f": {name}",)))
    rest = [row for index, row in enumerate(batch) if index not in refused]
    return [rest] if rest else []


def _passing_fault(response: types.AppendRowsResponse) -> str:
    """What is worth another try, "" for what is not."""
    cause = _storage_error(response)
    if cause in _RETRIED_STORAGE_ERRORS:
        return cause
    return f"code {response.error.code}" if response.error.code in _RETRIED_CODES else ""


def _storage_error(response: types.AppendRowsResponse) -> str:
    """What the service says about the table or the schema, "" if nothing: no fault of a row."""
    for detail in response.error.details:
        found = types.StorageError.pb()()
        if detail.Unpack(found):
            return str(types.StorageError.StorageErrorCode(found.code).name)
    return ""


def _halved(target: _Target, batch: _Batch, failures: list[Failure], code: str) -> list[_Batch]:
    """Two batches for one; a single row is a failure: so a row never takes its neighbours with it."""
    if len(batch) == 1:
        failures.append(refused_row(target.table, batch[0].values, (f": {code}",)))
        return []
    middle = len(batch) // 2
    return [list(itertools.islice(batch, middle)), list(itertools.islice(batch, middle, None))]

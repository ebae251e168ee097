"""Connections to BigQuery's tables: AppendRows calls that stay open from one bundle to the next.

Opening one takes BigQuery longer than writing to it, and a project may hold only so many. So a process has one pool of
them: a writer takes one for its flush and gives it back if it worked. There are never more than flushes at one time.
"""

from __future__ import annotations

import itertools
import os
import queue
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import grpc
from google.api_core import exceptions
from google.cloud.bigquery_storage_v1 import BigQueryWriteClient, types

from pipelines.io.bigquery.service import REQUEST_SECONDS, WRITE_HOST, write_client
from transforms.state.process import PROCESS, Registry

IDLE_SECONDS = 300.0
"""A connection that was not used for so long is left alone: BigQuery hangs up after ten minutes."""


class Connection:
    """One AppendRows call to one table's stream. Used by one thread at a time. Any fault ends it.

    Answers come in the order of the requests.
    """

    def __init__(self, client: BigQueryWriteClient, stream: str) -> None:
        self.stream = stream
        self.used_at = 0.0
        self._requests: queue.SimpleQueue[types.AppendRowsRequest | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[types.AppendRowsResponse | Exception] = queue.SimpleQueue()
        metadata = (("x-goog-request-params", f"write_stream={stream}"),)
        # The transport's own call: the client's would wait for the first answer before there is a request.
        # Its annotation is that of a call of one request and one answer.
        append_rows: Any = client.transport.append_rows
        self._call = append_rows(iter(self._requests.get, None), metadata=metadata)
        threading.Thread(target=self._listen, name="append-rows", daemon=True).start()

    def send(self, request: types.AppendRowsRequest) -> None:
        self._requests.put(request)

    def receive(self) -> types.AppendRowsResponse:
        """The answer to the first request that has none yet.

        Raises:
            GoogleAPICallError: there will be none.
        """
        try:
            answer = self._answers.get(timeout=REQUEST_SECONDS)
        except queue.Empty:
            raise exceptions.DeadlineExceeded("no answer") from None
        if isinstance(answer, Exception):
            raise answer
        return answer

    def is_open(self) -> bool:
        return bool(self._call.is_active()) and self._answers.empty()

    def close(self) -> None:
        self._requests.put(None)
        self._call.cancel()

    def _listen(self) -> None:
        """In a thread: gRPC lets nobody wait for an answer for a limited time."""
        try:
            for answer in self._call:
                self._answers.put(answer)
            self._answers.put(exceptions.ServiceUnavailable("the connection ended"))
        except grpc.RpcError as error:
            self._answers.put(exceptions.from_grpc_error(error))


class Connections:
    """The connections of one process to one service."""

    def __init__(self, client: BigQueryWriteClient, now: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._now = now
        self._lock = threading.Lock()
        self._known: set[str] = set()
        self._idle: defaultdict[str, list[Connection]] = defaultdict(list)

    def ask_for(self, stream: str) -> None:
        """Ask once whether there is such a stream: that there is no table is said here, before any row is sent.

        Raises:
            GoogleAPICallError: there is none, or nobody answers.
        """
        if stream not in self._known:
            self._client.get_write_stream(name=stream, retry=None, timeout=REQUEST_SECONDS)
            self._known.add(stream)

    def take(self, stream: str) -> Connection:
        """A connection that is the caller's until it is given back or closed."""
        with self._lock:
            idle = self._idle[stream]
            while idle:
                connection = idle.pop()
                if connection.is_open() and self._now() - connection.used_at < IDLE_SECONDS:
                    return connection
                connection.close()
        return Connection(self._client, stream)

    def give_back(self, connection: Connection) -> None:
        """For the next one. Every request must have been answered."""
        connection.used_at = self._now()
        with self._lock:
            self._idle[connection.stream].append(connection)

    def close(self) -> None:
        """Hangs up wherever nobody is writing."""
        with self._lock:
            for connection in itertools.chain.from_iterable(self._idle.values()):
                connection.close()
            self._idle.clear()


_OF_PROCESS: Registry[str, Connections] = PROCESS.registry(Connections.close)


def connections_of_process() -> Connections:
    """The pool that all writers of this process share."""
    return _OF_PROCESS.get(os.environ.get(WRITE_HOST, ""), lambda: Connections(write_client()))

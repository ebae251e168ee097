"""Connections that stay open: used again, left when they are old or dead, never waited for without end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import grpc
import pytest
from google.api_core import exceptions
from google.cloud.bigquery_storage_v1 import types

from pipelines.io.bigquery import append as bigquery_append
from pipelines.io.bigquery.append import IDLE_SECONDS, Connections
from pipelines.io.bigquery.service import WRITE_HOST, write_client
from tests.io.faults import serve

STREAM = "projects/shop-project/datasets/shop/tables/profiles_log/streams/_default"
REQUEST = types.AppendRowsRequest(write_stream=STREAM)


class Server:
    """Answers every request with the number of its connection. Silent: with nothing."""

    def __init__(self, *, silent: bool = False) -> None:
        self.opened = 0
        self._end = threading.Event()
        self._silent = silent

    def append_rows(self, requests: Iterator[bytes], _context: grpc.ServicerContext) -> Iterator[bytes]:
        self.opened += 1
        number = self.opened
        for _ in requests:
            if self._silent:
                self._end.wait()
            result = types.AppendRowsResponse.AppendResult(offset=number)
            yield types.AppendRowsResponse.serialize(types.AppendRowsResponse(append_result=result))

    @contextmanager
    def connections(self, monkeypatch: pytest.MonkeyPatch, clock: list[float]) -> Iterator[Connections]:
        with serve({"AppendRows": self.append_rows}, {}) as address:
            monkeypatch.setenv(WRITE_HOST, address)
            connections = Connections(write_client(), now=lambda: clock[0])
            try:
                yield connections
            finally:
                self._end.set()
                connections.close()


def ask(connections: Connections) -> int:
    """Over which connection an answer came."""
    connection = connections.take(STREAM)
    connection.send(REQUEST)
    answer = connection.receive()
    connections.give_back(connection)
    return int(answer.append_result.offset)


def test_a_connection_is_used_again_until_it_is_old(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    with Server().connections(monkeypatch, clock) as connections:
        assert [ask(connections), ask(connections)] == [1, 1]
        clock[0] += IDLE_SECONDS - 1
        assert ask(connections) == 1
        clock[0] += IDLE_SECONDS
        assert ask(connections) == 2


def test_two_at_one_time_have_one_each(monkeypatch: pytest.MonkeyPatch) -> None:
    with Server().connections(monkeypatch, [0.0]) as connections:
        mine, other = connections.take(STREAM), connections.take(STREAM)
        for connection in (mine, other):
            connection.send(REQUEST)
        assert sorted(one.receive().append_result.offset for one in (mine, other)) == [1, 2]
        for connection in (mine, other):
            connections.give_back(connection)
        assert ask(connections) in {1, 2}


def test_one_that_has_ended_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    with Server().connections(monkeypatch, [0.0]) as connections:
        connection = connections.take(STREAM)
        connection.send(REQUEST)
        connection.receive()
        connections.give_back(connection)
        connection.close()
        with pytest.raises(exceptions.GoogleAPICallError):
            connection.receive()
        assert ask(connections) == 2


def test_nobody_waits_for_an_answer_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bigquery_append, "REQUEST_SECONDS", 0.01)
    with Server(silent=True).connections(monkeypatch, [0.0]) as connections:
        connection = connections.take(STREAM)
        connection.send(REQUEST)
        with pytest.raises(exceptions.DeadlineExceeded):
            connection.receive()
        connection.close()

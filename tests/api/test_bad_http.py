"""Slow clients, half requests and what is no HTTP: each is let go, and the server goes on."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from api import bodies, protocol
from tests.api.served import COLLECT, kept, listening, options

EVENT = json.dumps({"writeKey": COLLECT, "userId": "u", "messageId": "m"}).encode()
HEAD = b"POST /v1/page HTTP/1.1\r\nHost: h\r\n"


@pytest.fixture
def port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setattr(protocol, "HEADER_SECONDS", 0.3)
    monkeypatch.setattr(bodies, "BODY_SECONDS", 0.3)
    with listening(options(tmp_path)) as port:
        yield port


def talk(port: int, *parts: bytes, until_closed: bool = True) -> bytes:
    """What the server says to these bytes, until it hangs up (or has said a whole answer)."""
    with socket.create_connection(("127.0.0.1", port), 20) as connection:
        for part in parts:
            connection.sendall(part)
        said = b""
        while chunk := connection.recv(65536):
            said += chunk
            if not until_closed and said.endswith(b"}"):
                break
    return said


def status(said: bytes) -> tuple[int, str]:
    """The status, and the code of the JSON that every error is."""
    head, _, body = said.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)["code"]


def test_the_rest_of_the_headers_is_not_waited_for(port: int) -> None:
    assert status(talk(port, HEAD)) == (408, "too_slow")
    assert status(talk(port, b"")) == (408, "too_slow")


def test_the_rest_of_a_body_is_not_waited_for(port: int, tmp_path: Path) -> None:
    said = talk(port, HEAD + b"Content-Length: 1000\r\n\r\n" + EVENT)
    assert status(said) == (408, "too_slow")
    assert kept(tmp_path) == []


def test_a_second_request_has_its_time_too(port: int) -> None:
    whole = HEAD + b"Content-Length: %d\r\n\r\n" % len(EVENT) + EVENT
    with socket.create_connection(("127.0.0.1", port), 20) as connection:
        connection.sendall(whole)
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        connection.sendall(HEAD)
        assert status(connection.recv(65536)) == (408, "too_slow")


@pytest.mark.parametrize(
    "bytes_of_it", [b"hello\r\n\r\n", b"\x16\x03\x01\x02\x00\x01", b"GET\r\n\r\n", HEAD + b"A B: c\r\n\r\n"]
)
def test_what_is_no_http_is_told_so(port: int, bytes_of_it: bytes) -> None:
    assert status(talk(port, bytes_of_it)) == (400, "malformed_request")


def test_headers_are_not_kept_without_end(port: int) -> None:
    said = talk(port, HEAD + b"X: " + b"x" * (protocol.MAX_HEADER_BYTES + 1))
    assert status(said) == (431, "headers_too_large")


def test_a_body_that_is_too_large_is_refused_while_it_comes(port: int, tmp_path: Path) -> None:
    body = b" " * (2 * 1024 * 1024)
    said = talk(port, HEAD + b"Content-Length: %d\r\n\r\n" % len(body), body)
    assert status(said) == (413, "too_large")
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    said = talk(port, HEAD + b"Transfer-Encoding: chunked\r\n\r\n", chunk * 20, b"0\r\n\r\n")
    assert status(said) == (413, "too_large")
    assert kept(tmp_path) == []


def test_chunks_and_expectations_are_understood(port: int) -> None:
    chunked = HEAD + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(EVENT), EVENT)
    assert talk(port, chunked, until_closed=False).startswith(b"HTTP/1.1 200")
    waits = HEAD + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(EVENT)
    assert talk(port, waits, EVENT, until_closed=False).startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200")


def test_a_length_and_chunks_at_once_are_refused(port: int, tmp_path: Path) -> None:
    both = HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n"
    assert status(talk(port, both)) == (400, "malformed_request")
    assert kept(tmp_path) == []


def test_more_connections_than_it_bears_are_told_to_come_again(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "MAX_CONNECTIONS", 0)
    said = talk(port, b"")
    assert status(said) == (503, "unavailable")
    assert b"retry-after: 5" in said


def test_a_client_that_hangs_up_costs_nothing(port: int, tmp_path: Path) -> None:
    for part in (b"", HEAD, HEAD + b"Content-Length: 1000\r\n\r\n{"):
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(part)
    whole = HEAD + b"Content-Length: %d\r\n\r\n" % len(EVENT) + EVENT
    assert talk(port, whole, until_closed=False).startswith(b"HTTP/1.1 200")

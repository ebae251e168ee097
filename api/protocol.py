"""uvicorn's HTTP/1.1, guarded: who is slow to say what they want, or says too much, is let go.

uvicorn itself waits for ever for the rest of a first request's headers, and keeps headers of any length.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.answers import error_body

HEADER_SECONDS = 15.0
"""From a connection's beginning, or its first byte of a next request, to the end of the request's headers."""
MAX_HEADER_BYTES = 64 * 1024
MAX_CONNECTIONS = 8_000
_REASONS = {400: "Bad Request", 408: "Request Timeout", 431: "Request Header Fields Too Large", 503: "Busy"}


class GuardedProtocol(HttpToolsProtocol):
    """A connection."""

    _header_bytes = 0
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > MAX_CONNECTIONS:
            self._refuse(503, "unavailable", "too many connections", b"retry-after: 5\r\n")
            return
        self._wait_for_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._timer is None and self._is_idle():
            self._wait_for_headers()
        if self._timer is not None:
            self._header_bytes += len(data)
        super().data_received(data)
        # What came with the headers may be body; the parser says so by then.
        if self._timer is not None and self._header_bytes > MAX_HEADER_BYTES:
            self._refuse(431, "headers_too_large", f"the headers are over {MAX_HEADER_BYTES} bytes")

    def on_headers_complete(self) -> None:
        self._stop_waiting()
        super().on_headers_complete()

    def handle_websocket_upgrade(self) -> None:
        self._stop_waiting()
        super().handle_websocket_upgrade()

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, "malformed_request", "this is no HTTP request")

    def _is_idle(self) -> bool:
        cycle: Any = self.cycle  # None before the first request, whatever uvicorn declares
        return cycle is None or bool(cycle.response_complete)

    def _wait_for_headers(self) -> None:
        self._header_bytes = 0
        self._timer = self.loop.call_later(HEADER_SECONDS, self._too_slow)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        self._timer = None
        self._refuse(408, "too_slow", f"the headers did not come within {HEADER_SECONDS:.0f} seconds")

    def _refuse(self, status: int, code: str, message: str, more: bytes = b"") -> None:
        self._stop_waiting()
        if self.transport.is_closing():
            return
        body = error_body(code, message)
        head = f"HTTP/1.1 {status} {_REASONS[status]}\r\ncontent-type: application/json\r\nconnection: close\r\n"
        self.transport.write(head.encode() + more + b"content-length: %d\r\n\r\n" % len(body) + body)
        self.transport.close()

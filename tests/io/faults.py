"""Proxies before BigQuery that lose, delay, repeat and refuse what passes: REST and the Storage Write API."""

from __future__ import annotations

import http.client
import random
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc

DELAY_SECONDS = 0.02
FAULTS = ("refuse_before", "refuse_after", "drop_before", "drop_after", "delay", "repeat")
"""before: the request is lost; after: it is done and its answer is lost; repeat: it is done twice."""


class Plan:
    """What happens to each request: one of FAULTS, or nothing. The same for the same seed and order of requests."""

    def __init__(self, seed: int, share: float) -> None:
        self._random = random.Random(seed)  # noqa: S311 - which request fails, no secret
        self.share = share
        self._lock = threading.Lock()
        self.done: Counter[str] = Counter()

    def next(self) -> str:
        with self._lock:
            fault = self._random.choice(FAULTS) if self._random.random() < self.share else "none"
            self.done[fault] += 1
            return fault


def pause() -> None:
    threading.Event().wait(DELAY_SECONDS)


class _RestProxy(BaseHTTPRequestHandler):
    """Passes requests on. A subclass sets where to, and the plan."""

    protocol_version = "HTTP/1.1"
    upstream = ""
    plan: Plan
    turn: AbstractContextManager[object] = nullcontext()

    def log_message(self, *_: object) -> None:
        return

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.plan.next()
        if fault.endswith("_before"):
            return self._fail(fault)
        if fault == "delay":
            pause()
        status, headers, content = self._forward(body)
        if fault == "repeat":
            status, headers, content = self._forward(body)
        if fault.endswith("_after"):
            return self._fail(fault)
        return self._answer(status, headers, content)

    def _forward(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        with self.turn:
            return self._pass_on(body)

    def _pass_on(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        host, _, port = self.upstream.partition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=60)
        headers = {name: value for name, value in self.headers.items() if name.lower() != "accept-encoding"}
        connection.request(self.command, self.path, body, headers)
        response = connection.getresponse()
        content = response.read()
        connection.close()
        return response.status, response.getheaders(), content

    def _answer(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
        self.send_response(status)
        for name, value in headers:
            if name.lower() not in {"content-length", "transfer-encoding", "connection", "date"}:
                self.send_header(name, value.replace(self.upstream, self.headers["Host"]))
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _fail(self, fault: str) -> None:
        if fault.startswith("refuse"):
            return self._answer(503, [("Content-Type", "text/plain")], b"unavailable")
        self.close_connection = True
        return self.connection.close()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815 - the base class calls these


@contextmanager
def rest_proxy(upstream: str, plan: Plan, turn: threading.Lock | None = None) -> Iterator[str]:
    """A proxy of the REST interface at `upstream` (HOST:PORT); gives its own HOST:PORT.

    With the `turn` of a `write_proxy` no request passes while one of that one does.
    """
    handler = type("Handler", (_RestProxy,), {"upstream": upstream, "plan": plan, "turn": turn or nullcontext()})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


_SERVICE = "google.cloud.bigquery.storage.v1.BigQueryWrite"


@contextmanager
def write_proxy(upstream: str, plan: Plan, turn: threading.Lock | None = None) -> Iterator[str]:
    """A proxy of the Storage Write API at `upstream` (HOST:PORT); gives its own HOST:PORT.

    One request after the other passes. The emulator stops for a minute when two come at once: one waits for its
    database with the analyzer in hand, the other for the analyzer with the database in hand.
    """
    turn = turn or threading.Lock()
    with grpc.insecure_channel(upstream) as channel:
        append = channel.stream_stream(f"/{_SERVICE}/AppendRows")
        get = channel.unary_unary(f"/{_SERVICE}/GetWriteStream")

        def forward(request: bytes, context: grpc.ServicerContext) -> bytes:
            metadata = [pair for pair in context.invocation_metadata() if pair[0].startswith("x-goog-")]
            with turn:
                [response] = append(iter([request]), timeout=60, metadata=metadata)
            return bytes(response)

        def append_rows(requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
            for request in requests:
                fault = plan.next()
                if fault in {"refuse_before", "drop_before"}:
                    context.abort(grpc.StatusCode.UNAVAILABLE, "unavailable")
                if fault == "delay":
                    pause()
                response = forward(request, context)
                if fault == "repeat":
                    response = forward(request, context)
                if fault == "refuse_after":
                    context.abort(grpc.StatusCode.UNAVAILABLE, "unavailable")
                if fault == "drop_after":
                    context.abort(grpc.StatusCode.INTERNAL, "stream removed")
                yield response

        def get_write_stream(request: bytes, context: grpc.ServicerContext) -> bytes:
            if plan.next() in {"refuse_before", "drop_before", "refuse_after", "drop_after"}:
                context.abort(grpc.StatusCode.UNAVAILABLE, "unavailable")
            with turn:
                return bytes(get(request, timeout=60))

        with serve({"AppendRows": append_rows}, {"GetWriteStream": get_write_stream}) as address:
            yield address


@contextmanager
def serve(streams: dict[str, object], calls: dict[str, object]) -> Iterator[str]:
    """A server of the Storage Write API made of functions over bytes."""
    handlers = {name: grpc.stream_stream_rpc_method_handler(function) for name, function in streams.items()}
    handlers |= {name: grpc.unary_unary_rpc_method_handler(function) for name, function in calls.items()}
    server = grpc.server(ThreadPoolExecutor(max_workers=32))  # a connection that stays open keeps a worker
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()

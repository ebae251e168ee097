"""Runs the application: uvicorn on uvloop and httptools, one process, or several that share the port.

SIGTERM: no new connection is taken, what has come is made safe and answered, then it ends.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import socket
from functools import partial

import uvicorn
from uvicorn.supervisors import Multiprocess

from api.app import Application
from api.build import ApiOptions, Counters, build
from api.metrics import Metrics
from api.protocol import GuardedProtocol
from api.routes import NAMES
from pipelines.words.log import begin_logging, say_error

_BACKLOG = 2048
_KEEP_ALIVE_SECONDS = 65
_STOP_SECONDS = 20
_SPARE_ROWS = 4
LOG_TEXT = "%(levelname)s %(name)s: %(message)s"


def serve(options: ApiOptions) -> int:
    """Serves until it is stopped; returns the exit status."""
    try:
        listener = bind(options.host, options.port)
    except OSError as error:
        say_error(f"--listen {options.host}:{options.port}: {error.strerror}")
        return 2
    # uvicorn takes the signal, ends in peace, and raises it once more: then it is a good end. So it is before uvicorn
    # takes it: whoever reads that somebody listens may say stop at once.
    signal.signal(signal.SIGTERM, _end)
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    print(f"listening on http://{shown}:{port} (docs: http://{shown}:{port}/docs)", flush=True)
    with contextlib.closing(listener), contextlib.suppress(KeyboardInterrupt):
        config = server_config(options)
        if options.workers > 1:
            Multiprocess(config, sockets=[listener]).run()
        else:
            server = uvicorn.Server(config)
            server.run(sockets=[listener])
            return 0 if server.started else 1
    return 0


def server_config(options: ApiOptions) -> uvicorn.Config:
    """How uvicorn serves these options."""
    counters = None
    if options.workers > 1:
        spawn = multiprocessing.get_context("spawn")
        rows = options.workers * _SPARE_ROWS  # a worker that is started again takes the next one
        array = spawn.Array("d", Metrics.size(NAMES) * rows, lock=False)
        counters = Counters(array, spawn.Value("i", 0))
    return uvicorn.Config(
        partial(_build, options, counters),
        factory=True,
        loop="uvloop",
        http=GuardedProtocol,
        ws="websockets-sansio",
        ws_max_size=64 * 1024,
        ws_ping_interval=20,
        ws_ping_timeout=20,
        lifespan="on",
        workers=options.workers,
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_STOP_SECONDS,
        backlog=_BACKLOG,
    )


def _build(options: ApiOptions, counters: Counters | None) -> Application:
    """The application of one process; one of several has its logging still to begin."""
    if counters is not None:
        begin_logging(options.log_format, LOG_TEXT)
    return build(options, counters)


def _end(_signal: int, _frame: object) -> None:
    raise SystemExit(0)


def bind(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises:
        OSError: it cannot.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    listener.listen(_BACKLOG)
    listener.set_inheritable(True)
    return listener

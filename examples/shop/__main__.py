"""`python -m examples.shop`: a shop to click on, the API behind it, the job, and what it makes of one's own clicks.

Starts the API and the job as processes of their own, and serves the shop's page itself. Ctrl-C ends everything.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

import uvicorn

from api import keys
from examples.shop.pages import Shop, shop_pages
from examples.shop_live.processes import Children

HERE = Path(__file__).parent
ANALYTICS_JS = HERE / "node_modules" / "@segment" / "analytics-next" / "dist" / "umd"
_LOOK_SECONDS = 0.25
_STOP_SECONDS = 1
"""Pages listen for changes without end: they are not waited for."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs until Ctrl-C: 0. Returns 1 when the API or the job ends by itself, 2 for wrong arguments."""
    options = _parse(arguments)
    if not (ANALYTICS_JS / "standalone.js").is_file():
        print(f"Segment's client is not there yet: npm ci --prefix {HERE}", file=sys.stderr)
        return 2
    folder = options.folder.resolve()
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "spool").mkdir(parents=True)
    api_port = _free_port()
    sending, reading = (keys.add_key(folder / "keys.yaml", may, [may]) for may in ("collect", "read"))
    shop = Shop(f"http://127.0.0.1:{api_port}", sending, reading)
    children = Children(folder / "log")
    server = uvicorn.Server(
        uvicorn.Config(
            shop_pages(shop),
            host="127.0.0.1",
            port=options.port,
            log_level="error",
            access_log=False,
            timeout_graceful_shutdown=_STOP_SECONDS,
        )
    )
    stopped = threading.Event()
    try:
        _start(children, folder, api_port, isolated=options.isolated)
        threading.Thread(target=_watch, args=(children, server, stopped), daemon=True).start()
        print(
            f"The shop is at http://127.0.0.1:{options.port} (Ctrl-C ends it; logs are in {folder / 'log'})", flush=True
        )
        with contextlib.suppress(KeyboardInterrupt):  # uvicorn raises it again when it has ended
            server.run()
    finally:
        stopped.set()
        ended, words = children.ended(), children.last_words()
        children.stop()
    if ended is not None:
        print(f"{ended} ended by itself:\n{words}", file=sys.stderr)
        return 1
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m examples.shop", description="A shop that follows one's own clicks."
    )
    folder = Path(tempfile.gettempdir()) / "tidemark-shop"
    parser.add_argument("--folder", type=Path, default=folder, metavar="DIR", help="made anew each time (%(default)s)")
    parser.add_argument("--port", type=int, default=8090, metavar="N", help="of the shop's page (%(default)s)")
    parser.add_argument("--isolated", action="store_true", help="the job in a network of its own (python -m services)")
    return parser.parse_args(arguments)


def _start(children: Children, folder: Path, api_port: int, *, isolated: bool) -> None:
    tables = f"duckdb:{folder / 'shop.duckdb'}"
    listen = ["--listen", f"127.0.0.1:{api_port}", "--keys", str(folder / "keys.yaml"), "--tables", tables]
    children.start(
        "api", "api", [*listen, "--events", f"spool:{folder / 'spool'}", "--analytics_js", str(ANALYTICS_JS)]
    )
    job = ["--input", f"watch:{folder / 'spool'}", "--segments", str(HERE / "segments"), "--output", tables]
    pace = ["--write_every", "1 second", "--out_of_orderness", "1 second", "--idle_timeout", "1 second"]
    if isolated:
        inside = ["isolated", "--", sys.executable, "-m", "pipelines.profiles", *job, *pace]
        children.start("job", "services", inside, whole_group=True)
    else:
        children.start("job", "pipelines.profiles", [*job, *pace])


def _watch(children: Children, server: uvicorn.Server, stopped: threading.Event) -> None:
    """Ends the page when a process has ended."""
    while not stopped.wait(_LOOK_SECONDS):
        if children.ended() is not None:
            server.should_exit = True
            return


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGINT))
    sys.exit(main())

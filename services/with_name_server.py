"""Runs Erlang's name server and a node beside it: `python -m services.with_name_server PORT COMMAND...`.

A node alone starts the name server as a daemon, which would stay when the node has ended. Here both are children of
this process, which ends them when it is told to, or when one of them has ended.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from types import FrameType

from services.building import find_tool


def main(port: str, command: list[str]) -> int:
    """Runs both until one of them ends; returns the node's exit status."""
    ended = threading.Event()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        ended.set()

    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, stop)
    names = subprocess.Popen([find_tool("epmd"), "-port", port, "-address", "127.0.0.1"])
    node = subprocess.Popen(command, env={**os.environ, "ERL_EPMD_PORT": port, "ERL_EPMD_ADDRESS": "127.0.0.1"})
    for child in (names, node):
        threading.Thread(target=_wait, args=(child, ended), daemon=True).start()
    ended.wait()
    node.terminate()
    status = node.wait()
    names.terminate()
    names.wait()
    return status


def _wait(child: subprocess.Popen[bytes], ended: threading.Event) -> None:
    child.wait()
    ended.set()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))

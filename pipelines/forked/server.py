"""The process from which workers are forked: `python -m pipelines.forked.server DESCRIPTOR [stores]`.

The descriptor is that of a socket that listens; `stores` says that workers may need object stores.

It imports what a worker needs while the job itself is still importing and planning, on another core; then it forks one
worker for each `client.py` that calls, and ends with the job, whose end of its stdin closes then. It makes no thread
and no connection, so that a fork of it is whole.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys
import tempfile
from typing import Final

from pipelines.forked.client import LENGTH_BYTES
from pipelines.forked.start import STORES
from pipelines.import_beam import import_beam, lasting_imports

_OUTPUTS: Final = (1, 2)
_TRAITS: Final = {
    "email": "ada@example.com",
    "phone": "+12025550143",
    "country": "France",
    "language": "English",
    "birthday": "1990-05-01",
    "timezone": "Europe/Paris",
}


def main(descriptor: int, *, stores: bool) -> None:
    """Serves until the job ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the job's business
    _import_what_workers_need(stores=stores)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the workers but their clients
    with socket.socket(fileno=descriptor) as listening:
        while True:
            ready, _, _ = select.select([listening, sys.stdin], [], [])
            if sys.stdin in ready:
                os._exit(0)  # what was frozen is nobody's leak
            connection, _ = listening.accept()
            if not os.fork():
                listening.close()
                os._exit(_work(connection))
            connection.close()


def _import_what_workers_need(*, stores: bool) -> None:
    with lasting_imports():  # what all workers share stays one copy in memory, too
        import_beam(stores=stores)
        import apache_beam.runners.worker.sdk_worker_main

        import pipelines.batch
        from pipelines.beam_remembers import remember
        from pipelines.forked.memory import keep_freed_memory
        from transforms.profiles.normalize.traits import normalize_traits

        _ = (apache_beam.runners.worker.sdk_worker_main, pipelines.batch)
        # The libraries behind the typed columns are loaded when the first value needs them, which takes half a second.
        normalize_traits({name: (value, 0, "") for name, value in _TRAITS.items()}, None)
    remember()
    keep_freed_memory()


def _work(connection: socket.socket) -> int:
    """One worker, from beginning to end; its exit status, which the client is told as well."""
    status = 1
    try:
        _take_over(connection)
        from apache_beam.runners.worker import sdk_worker_main

        from transforms.columns.aside import lay_aside_in

        lay_aside_in(tempfile.gettempdir())  # the job's own, which goes with it
        sdk_worker_main.main([])
        status = 0
    except BaseException as error:  # noqa: BLE001 - the process ends with it
        print(f"worker: {type(error).__name__}", file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
    connection.sendall(bytes([status]))
    return status


def _take_over(connection: socket.socket) -> None:
    """Environment, folder, stdout and stderr of the client, as if it had started us."""
    head, outputs, _, _ = socket.recv_fds(connection, LENGTH_BYTES, len(_OUTPUTS))
    length, received = int.from_bytes(head, "big"), b""
    while len(received) < length:
        received += connection.recv(length - len(received))
    os.environ.clear()
    os.environ.update(json.loads(received))
    tempfile.tempdir = None
    for given, own in zip(outputs, _OUTPUTS, strict=True):
        os.dup2(given, own)
        os.close(given)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


if __name__ == "__main__":
    main(int(sys.argv[1]), stores=STORES in sys.argv)

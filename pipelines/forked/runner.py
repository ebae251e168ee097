"""Beam's local runner, whose worker processes are forked from the server instead of started one by one."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from apache_beam.portability import python_urns
from apache_beam.portability.api import beam_runner_api_pb2
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from pipelines.forked.balance import balanced_groups
from pipelines.words.failure import LOST_WORKER

_LOST = signal.SIGUSR1


class ForkingRunner(FnApiRunner):
    """FnApiRunner, but for the command that starts a worker process.

    Args:
        worker_command: of the server.
    """

    def __init__(self, worker_command: str) -> None:
        super().__init__()
        self._worker_command = worker_command

    def run_via_runner_api(self, pipeline_proto: beam_runner_api_pb2.Pipeline, options: Any) -> Any:
        """Runs the graph; `--direct_running_mode` says whether there are worker processes at all."""
        for environment in pipeline_proto.components.environments.values():
            if environment.urn == python_urns.SUBPROCESS_SDK:
                environment.payload = self._worker_command.encode()
        with balanced_groups():
            return super().run_via_runner_api(pipeline_proto, options)


class LostWorkerError(Exception):
    """A worker process ended before its work was done."""

    def __init__(self) -> None:
        super().__init__(LOST_WORKER)


@contextmanager
def ended_by_lost_workers() -> Iterator[None]:
    """What runs inside the `with` raises when a worker is lost: Beam says so in a thread, and may wait for ever.

    For the main thread. A signal of its own interrupts it: what a shell starts in the background ignores SIGINT.
    """
    lost = threading.Event()
    ended = threading.Lock()
    hook = threading.excepthook
    before = signal.signal(_LOST, signal.default_int_handler)

    def tell(raised: threading.ExceptHookArgs) -> None:
        hook(raised)
        if raised.thread is None or raised.thread.name != "run_worker" or lost.is_set():
            return
        if ended.acquire(blocking=False):
            lost.set()
            signal.pthread_kill(threading.main_thread().ident or 0, _LOST)
            ended.release()

    threading.excepthook = tell
    try:
        yield
    except BaseException:
        if lost.is_set():
            raise LostWorkerError from None
        raise
    finally:
        threading.excepthook = hook
        signal.signal(_LOST, signal.SIG_IGN)
        ended.acquire()  # from here on nobody sends it
        signal.signal(_LOST, before)

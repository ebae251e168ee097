"""Work spread over processes, or done in this one where starting processes would take longer."""

from __future__ import annotations

import gc
import multiprocessing
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Generic, TypeVar

from pipelines.forked.memory import keep_freed_memory
from transforms.records import collection_paused

Worker = TypeVar("Worker")
Result = TypeVar("Result")

# Linux copies a process in milliseconds; elsewhere a new one, that imports everything again, is the safe way.
_START_METHOD = "fork" if sys.platform == "linux" else "spawn"
_LOOK_SECONDS = 0.2
_worker: Any = None


def make_lock() -> AbstractContextManager[object]:
    """A lock for processes; hand it to those of `Workers` as an argument."""
    return multiprocessing.get_context(_START_METHOD).Lock()


class StoppedError(Exception):
    """Somebody has asked for the work to end before it was done."""


class Workers(Generic[Worker]):
    """Each process has one worker, made by `make(*arguments)`; with `processes` 1 it lives in this process.

    Results come as they are ready, in no defined order. An error in a worker is raised here, and ends the others.

    Args:
        processes: how many.
        make: makes a worker.
        arguments: what that is given.
        stopped: set by whoever wants the work to end; `map` raises `StoppedError` then.
    """

    def __init__(
        self,
        processes: int,
        make: Callable[..., Worker],
        *arguments: Any,
        stopped: threading.Event | None = None,
    ) -> None:
        self._stopped = stopped or threading.Event()
        self._local = make(*arguments) if processes == 1 else None
        self._pool = None
        if processes > 1:
            context = multiprocessing.get_context(_START_METHOD)
            self._pool = ProcessPoolExecutor(processes, context, _start, (make, arguments))

    def __enter__(self) -> Workers[Worker]:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._pool is not None:
            if error is not None:
                for process in multiprocessing.active_children():
                    process.terminate()
            self._pool.shutdown(cancel_futures=True)

    def map(self, work: Callable[..., Result], items: Iterable[Any], *arguments: Any) -> Iterator[Result]:
        """`work(worker, item, *arguments)` for every item; `work` is a function of a module or a method."""
        if self._pool is None:
            for item in items:
                with collection_paused():
                    result = work(self._local, item, *arguments)
                yield result
                self._look()
            return
        pending: set[Future[Result]] = {self._pool.submit(_run, work, item, *arguments) for item in items}
        while pending:
            done, pending = wait(pending, _LOOK_SECONDS, FIRST_COMPLETED)
            for future in done:
                yield future.result()
            self._look()

    def _look(self) -> None:
        if self._stopped.is_set():
            raise StoppedError


def _start(make: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    global _worker  # noqa: PLW0603 - one per process, by design
    gc.freeze()
    keep_freed_memory()
    _worker = make(*arguments)


def _run(work: Callable[..., Result], item: Any, *arguments: Any) -> Result:
    with collection_paused():
        return work(_worker, item, *arguments)

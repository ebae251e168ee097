"""What a process keeps between bundles (transforms/state/process.py)."""

import multiprocessing
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection

import pytest

from transforms.state.process import PROCESS, ClosedError, Process, Registry

THREADS = 8


@pytest.fixture
def process() -> Process:
    return Process()


class Closing:
    """Remembers in which order things were closed; fails where it is told to."""

    def __init__(self, *failing: str) -> None:
        self.closed: list[str] = []
        self._failing = failing

    def __call__(self, held: str) -> None:
        self.closed.append(held)
        if held in self._failing:
            raise OSError(held)


def opened(process: Process, close: Callable[[str], None], *names: str) -> Registry[str, str]:
    registry: Registry[str, str] = process.registry(close)
    for name in names:
        assert registry.get(name, lambda name=name: name) == name  # type: ignore[misc]
    return registry


def test_it_is_made_once_also_by_threads_that_ask_at_once(process: Process) -> None:
    registry: Registry[str, object] = process.registry()
    made: list[object] = []
    together = threading.Barrier(THREADS)

    def make() -> object:
        made.append(object())
        return made[-1]

    def ask(_number: int) -> object:
        together.wait()
        return registry.get("one", make)

    with ThreadPoolExecutor(THREADS) as pool:
        assert set(pool.map(ask, range(THREADS))) == set(made)
    assert len(made) == 1
    assert registry.get("another", make) is made[1]


def test_what_could_not_be_made_is_tried_again(process: Process) -> None:
    registry: Registry[str, str] = process.registry()
    with pytest.raises(ZeroDivisionError):
        registry.get("one", lambda: str(1 // 0))
    assert registry.get("one", lambda: "made") == "made"


def test_everything_is_closed_once_the_last_registry_first(process: Process) -> None:
    closing = Closing()
    below = opened(process, closing, "a", "b")
    opened(process, closing, "c", "d")
    process.close()
    process.close()
    assert closing.closed == ["d", "c", "b", "a"]
    assert below.get("a", lambda: "again") == "again", "what was closed can be opened again"


def test_what_is_opened_below_while_closing_is_closed_too(process: Process) -> None:
    closing = Closing()
    below = opened(process, closing)
    above: Registry[str, str] = process.registry(lambda held: below.get(f"journal of {held}", lambda: "journal"))
    above.get("writer", lambda: "writer")
    process.close()
    assert closing.closed == ["journal"]


def test_an_error_keeps_nothing_else_open(process: Process) -> None:
    closing = Closing("b", "d")
    opened(process, closing, "a", "b")
    opened(process, closing, "c", "d")
    with pytest.raises(OSError, match="d") as raised:
        process.close()
    assert raised.value.__notes__ == ["then OSError: b"]
    assert closing.closed == ["d", "c", "b", "a"]
    process.close()
    assert len(closing.closed) == 4


def test_what_is_taken_is_the_callers(process: Process) -> None:
    closing = Closing()
    registry = opened(process, closing, "a", "b", "c")
    assert registry.take("a") == "a"
    assert registry.take("a") is None
    assert registry.find("a") is None
    assert registry.take_any() == "c"
    assert registry.find("b") == "b"
    assert registry.put("b", "new") == "b"
    assert registry.put("d", "d") is None
    assert registry.snapshot() == [("b", "new"), ("d", "d")]
    process.close()
    assert closing.closed == ["d", "new"]
    assert registry.take_any() is None


def test_what_is_closed_for_good_is_refused(process: Process) -> None:
    registry: Registry[str, str] = process.registry(for_good=True)
    registry.get("first run", lambda: "writer")
    process.close()
    with pytest.raises(ClosedError):
        registry.get("first run", lambda: "writer")
    assert registry.get("second run", lambda: "writer") == "writer"


def test_a_fork_begins_with_nothing_and_closes_nothing(process: Process) -> None:
    closing = Closing()
    registry = opened(process, closing, "a")
    with registry._lock:  # as another thread may have it at the moment of the fork
        process.leave_to_parent()
    assert registry.find("a") is None
    assert registry.get("a", lambda: "of the child") == "of the child"
    process.close()
    assert closing.closed == ["of the child"]


def look(told: Connection) -> None:
    told.send((_HELD.find("a"), _HELD.get("a", lambda: "child"), len(_HELD.snapshot())))


_HELD: Registry[str, str] = PROCESS.registry()


def test_a_forked_process_leaves_to_its_parent_what_that_holds() -> None:
    """Also when a thread of the parent holds the lock just then."""
    _HELD.get("a", lambda: "parent")
    hears, tells = multiprocessing.Pipe(duplex=False)
    child = multiprocessing.get_context("fork").Process(target=look, args=(tells,))
    with _HELD._lock:
        child.start()
    assert hears.recv() == (None, "child", 1)
    child.join()
    assert _HELD.take("a") == "parent"


def test_only_what_asks_for_it_is_closed_when_the_process_ends() -> None:
    program = (
        "from transforms.state.process import PROCESS\n"
        "PROCESS.registry(print).get(1, lambda: 'a connection')\n"
        "PROCESS.registry(print, at_exit=True).get(1, lambda: 'a writer')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "a writer\n"

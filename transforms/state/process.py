"""What a process keeps from one bundle to the next: connections, writers, shelves. All of it is closed from one place.

A bundle has no place of its own for what takes long to make, so a module keeps it for the process that it runs in, in a
registry that it asks `PROCESS` for. Nothing else is kept beside the code, so a worker, a job or a test that ends has
one thing to close, and a process that was forked begins with nothing: it must not use, nor close, what is its parent's.
"""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Callable, Hashable, Iterable
from functools import partial
from typing import Any, Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Held = TypeVar("Held")


class ClosedError(RuntimeError):
    """What is asked for was closed for good."""


def let_go(_held: object) -> None:
    """Closes what needs no closing."""


class Registry(Generic[Key, Held]):
    """What a process holds of one kind, by key. Thread-safe. Made by `Process.registry`."""

    def __init__(self, close: Callable[[Held], object], *, for_good: bool) -> None:
        self._close = close
        self._for_good = for_good
        self._closed: set[Key] = set()
        self._inherited: list[dict[Key, Held]] = []
        self._lock = threading.Lock()
        self._held: dict[Key, Held] = {}

    def get(self, key: Key, make: Callable[[], Held]) -> Held:
        """What is held, made if there is none; others of this kind wait meanwhile, so `make` must not ask for one.

        Raises:
            ClosedError: it was closed for good.
        """
        with self._lock:
            if key in self._closed:
                raise ClosedError("what is asked for was closed, and stays so")
            if key not in self._held:
                self._held[key] = make()
            return self._held[key]

    def find(self, key: Key) -> Held | None:
        """What is held, which stays."""
        with self._lock:
            return self._held.get(key)

    def take(self, key: Key) -> Held | None:
        """What is held, which is the caller's from now on."""
        with self._lock:
            return self._held.pop(key, None)

    def take_any(self) -> Held | None:
        """Whatever was put last, which is the caller's from now on."""
        with self._lock:
            return self._held.popitem()[1] if self._held else None

    def put(self, key: Key, held: Held) -> Held | None:
        """Holds this from now on. Returns what was held in its place, which is the caller's, not closed."""
        with self._lock:
            before = self._held.pop(key, None)
            self._held[key] = held
            return before

    def snapshot(self) -> list[tuple[Key, Held]]:
        """All that is held now, the oldest first."""
        with self._lock:
            return list(self._held.items())

    def close(self) -> None:
        """Holds nothing any more, and closes what it held, the newest first, all of it whatever fails.

        Raises:
            BaseException: what closing has raised first; its notes say what came after that.
        """
        with self._lock:
            held, self._held = self._held, {}
            if self._for_good:
                self._closed.update(held)
        _call_each(partial(self._close, one) for one in reversed(held.values()))

    def leave_to_parent(self) -> None:
        """Begins with nothing, in a process that was just forked.

        What it was born with stays referenced: freed, it would hang up on the parent's behalf, or wait for a thread
        that only the parent has.
        """
        self._inherited.append(self._held)
        self._held = {}
        self._lock = threading.Lock()  # nobody is left to open one that was locked at that moment


class Process:
    """The registries of a process. There is one, `PROCESS`; tests make their own."""

    def __init__(self) -> None:
        self._registries: list[Registry[Any, Any]] = []

    def registry(
        self, close: Callable[[Held], object] = let_go, *, at_exit: bool = False, for_good: bool = False
    ) -> Registry[Key, Held]:
        """A new registry, for a module to keep under a name of its own.

        Args:
            close: closes one of what it holds.
            at_exit: whether to close it when the process ends by itself, for what would be lost otherwise.
            for_good: whether a key whose holding was closed is refused from then on.
        """
        made: Registry[Key, Held] = Registry(close, for_good=for_good)
        self._registries.append(made)
        if at_exit:
            atexit.register(made.close)
        return made

    def close(self) -> None:
        """Closes everything, all of it whatever fails; it can be opened again.

        The registry that was made last comes first: a module imports what it builds on, so what it holds is closed
        before that is.

        Raises:
            BaseException: as `Registry.close`.
        """
        _call_each(registry.close for registry in reversed(self._registries))

    def leave_to_parent(self) -> None:
        """Begins with nothing, in a process that was just forked."""
        for registry in self._registries:
            registry.leave_to_parent()


def _call_each(closings: Iterable[Callable[[], object]]) -> None:
    first: BaseException | None = None
    for close in closings:
        try:
            close()
        except BaseException as error:  # noqa: BLE001 - raised below
            if first is None:
                first = error
            else:
                first.add_note(f"then {type(error).__name__}: {error}")
    if first is not None:
        raise first


PROCESS = Process()
"""This process's. The one thing that is kept beside the code."""
os.register_at_fork(after_in_child=PROCESS.leave_to_parent)

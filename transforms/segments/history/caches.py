"""What was worked out for a bucket, kept while something may still ask for it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

Kept = TypeVar("Kept")

_PACKAGE = __name__.rpartition(".")[0]


class Cache:
    """Keeps things by their owner (a compiled condition, scalar or stream, or a name) and what they are of it."""

    def __init__(self) -> None:
        self._kept: dict[Hashable, dict[str, Any]] = {}

    def keep(self, owner: Hashable, make: Callable[[], Kept], what: str = "") -> Kept:
        """What `make` gives, made once."""
        own = self._kept.get(owner)
        if own is None:
            own = self._kept[owner] = {}
        if what not in own:
            own[what] = make()
        found: Kept = own[what]
        return found

    def knows(self, owner: Hashable) -> bool:
        """Whether anything of the owner is kept."""
        return owner in self._kept

    def clear(self) -> None:
        """Keeps nothing. What is kept refers to its cache, so that nothing else sets it free at once."""
        self._kept.clear()

    def forget(self, owners: Iterable[Hashable]) -> None:
        """Keeps nothing of these any longer."""
        for owner in owners:
            self._kept.pop(owner, None)


def last_uses(rules: Sequence[object], always: Iterable[object]) -> list[list[Hashable]]:
    """For each rule the compiled things that no later one has in it; never those of `always`."""
    needed = {thing for root in always for thing in parts_of(root)}
    done: list[list[Hashable]] = []
    for rule in reversed(rules):
        own = [thing for thing in parts_of(rule) if thing not in needed]
        needed.update(own)
        done.append(own)
    return done[::-1]


def parts_of(root: object) -> Iterator[Hashable]:
    """The thing and all compiled things in it; each once."""
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        thing = waiting.pop()
        if isinstance(thing, list | tuple):
            waiting += thing
        elif type(thing).__module__.startswith(_PACKAGE) and hasattr(thing, "__dict__") and id(thing) not in seen:
            seen.add(id(thing))
            yield thing
            waiting += vars(thing).values()

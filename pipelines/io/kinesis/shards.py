"""Which shards of a stream are read when, and how far. Pure.

A position is a sequence number, as an integer (they are texts of many digits; as texts they would be in another order).
0: nothing was read yet. Below 0: the shard was closed, and read to its end, -1 - the last number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

START = 0


class Shard(NamedTuple):
    """A shard, and those that it came from by splitting or merging."""

    name: str
    parents: tuple[str, ...] = ()


def ended(position: int) -> int:
    """The position of a shard that was read to its end."""
    return -1 - position


def is_ended(position: int) -> bool:
    return position < 0


def is_further(one: int, other: int) -> bool:
    """Whether one position of a shard is beyond another one."""
    return _order(one) > _order(other)


def _order(position: int) -> tuple[bool, int]:
    return is_ended(position), -1 - position if is_ended(position) else position


def furthest(positions: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Of each shard the furthest position."""
    found: dict[str, int] = {}
    for some in positions:
        for name, at in some.items():
            if name not in found or is_further(at, found[name]):
                found[name] = at
    return found


def with_shards(shards: Iterable[Shard], positions: Mapping[str, int]) -> dict[str, int]:
    """The positions of all shards that there are: new ones at their start, and none of those that are gone."""
    return {shard.name: positions.get(shard.name, START) for shard in shards}


def readable(shards: Iterable[Shard], positions: Mapping[str, int]) -> list[str]:
    """The shards that may be read now: parents come first, to their end, so that one key's records stay in order.

    A parent that is not among the shards is gone: its records have passed their retention.
    """
    known = list(shards)
    here = {shard.name for shard in known}
    return [
        shard.name
        for shard in known
        if not is_ended(positions.get(shard.name, START))
        and all(parent not in here or is_ended(positions.get(parent, START)) for parent in shard.parents)
    ]

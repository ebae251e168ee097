"""Groups shared out among worker processes by their size, the largest first.

Beam's local runner gives each of two workers every second group, however large they are: where half of all events are
one visitor's, one worker has three quarters of the work.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from apache_beam.runners.portability.fn_api_runner.execution import GroupingBuffer

from transforms.columns.aside import size_of

_OF_A_BLOCK_BYTES: Final = 64 * 1024
"""Measured: of events of 1 kB, half a million of one visitor took 1.8 s, as many of 28,000 people 3 s."""


@contextmanager
def balanced_groups() -> Iterator[None]:
    """For jobs that run inside the `with`: what Beam 2.77 calls to share out groups is ours."""
    partition = GroupingBuffer.partition

    def balanced(buffer: Any, count: int) -> list[list[bytes]]:
        if count == 1 or buffer._grouped_output or not buffer._windowing.is_default():
            return partition(buffer, count)
        parts = [
            GroupingBuffer(buffer._pre_grouped_coder, buffer._post_grouped_coder, buffer._windowing)
            for _ in range(count)
        ]
        for key, place in shares({key: _size(values) for key, values in buffer._table.items()}, count).items():
            parts[place]._table[key] = buffer._table.pop(key)
        buffer._grouped_output = [partition(part, 1)[0] for part in parts]
        found: list[list[bytes]] = buffer._grouped_output
        return found

    GroupingBuffer.partition = balanced  # type: ignore[assignment,method-assign]
    try:
        yield
    finally:
        GroupingBuffer.partition = partition  # type: ignore[method-assign]


def shares(sizes: dict[bytes, int], count: int) -> dict[bytes, int]:
    """Which of `count` shares each key is in: each in turn, the largest first, where least is yet."""
    loads = [0] * count
    found = {}
    for key in sorted(sizes, key=lambda key: (-sizes[key], key)):
        place = loads.index(min(loads))
        loads[place] += sizes[key] + 1
        found[key] = place
    return found


def _size(values: Iterable[Any]) -> int:
    """About how many bytes the values of a group are; more where they are many blocks, which have more profiles."""
    return sum(_bytes_of(value) + _OF_A_BLOCK_BYTES for value in values)


def _bytes_of(value: Any) -> int:
    """Of a block, or of one or a part of one with a tag; anything else counts as one."""
    block = value[-1] if isinstance(value, tuple) else value
    block = block[0] if isinstance(block, tuple) else block
    return size_of(block) if isinstance(block, bytes) else 1

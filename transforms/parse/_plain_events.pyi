"""What _plain_events.c gives; plain_events.py says what it means."""

from collections.abc import Callable, Sequence

import numpy as np

_Text = tuple[bytes, bytes, bytes, int]

def lines_at(data: bytes, places: np.ndarray, /) -> tuple[int, list[bytes]]: ...

class Reader:
    held_bytes: int

    def __new__(
        cls,
        nodes: list[tuple[int, bool, int, Callable[[bytes], bool] | None, list[tuple[bytes, int, bool]]]],
        of_type: Sequence[int],
        planned: list[tuple[bytes, int, bool]],
        refuses_unplanned: bool,
        blocked: tuple[bytes, ...],
        instant: Callable[[str], int],
        max_bytes: int,
        earliest: int,
        latest: int,
        ahead: int,
        /,
    ) -> Reader: ...
    def read(self, messages: list[bytes], first: int, /) -> list[tuple[int, bytes]]: ...
    def read_lines(self, data: bytes, first: int, /) -> tuple[int, list[tuple[int, bytes]]]: ...
    def take(
        self, /
    ) -> tuple[
        int,
        tuple[bytes, bytes, bytes, bytes, _Text, _Text, _Text, _Text, _Text, _Text, _Text, _Text, _Text],
        dict[str, int],
    ]: ...

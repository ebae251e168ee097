"""What _plain_events.c gives; plain_events.py says what it means."""

from collections.abc import Callable, Sequence

_Text = tuple[bytes, bytes, bytes, int]

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
    def read(self, messages: list[bytes], first: int, /) -> list[int]: ...
    def take(
        self, /
    ) -> tuple[
        int,
        tuple[bytes, bytes, bytes, bytes, _Text, _Text, _Text, _Text, _Text, _Text, _Text, _Text, _Text],
    ]: ...

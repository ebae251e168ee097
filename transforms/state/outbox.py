"""What a bundle has to say, given out when it ends: one element per table and per shelf of a later stage.

An element costs a runner far more than what is in it. A stage of its own that gathered them doubled the bundles that a
message passes through on its way, and with them the time that a change took to be told.
"""

from collections.abc import Iterable, Iterator, Sequence
from zlib import crc32

from schemas.stamp import earlier
from schemas.update import RowUpdate, pack_updates
from transforms.state.cell import Output
from transforms.state.facts import Message, pack_messages

Keyed = tuple[str, bytes]
"""(shelf, packed messages or records)."""
ROWS = "rows"
_ROWS_PER_BLOCK = 1_000


class Outbox:
    """Gathers the outputs of one bundle: rows, and messages by the shelf that they are for.

    `at_us` is the earliest time of what they follow from, in microseconds: nothing that is given out may be late.
    `came_us` is when the first of that came in, for metrics; 0: none did.
    """

    def __init__(self, buckets: int) -> None:
        self._buckets = buckets
        self._messages: dict[tuple[str, str], list[Message]] = {}
        self._rows: list[RowUpdate] = []
        self.at_us: int | None = None
        self.came_us = 0

    def take(self, outputs: Iterable[Output], at_us: int, came_us: int = 0) -> None:
        """Takes what follows from an element of the time `at_us`, which came in at `came_us`."""
        for output in outputs:
            if isinstance(output, RowUpdate):
                self._rows.append(output)
            else:
                address = output.stage, bucket_of(output.key, self._buckets)
                self._messages.setdefault(address, []).append(output)
        self.came_us = earlier(self.came_us, came_us)
        self.at_us = at_us if self.at_us is None else min(self.at_us, at_us)

    def give(self) -> Iterator[tuple[str, Keyed | bytes]]:
        """All of it, packed: (stage or `ROWS`, element)."""
        for (stage, bucket), messages in self._messages.items():
            yield stage, (bucket, pack_messages(messages, self.came_us))
        for block in in_blocks(self._rows, self.came_us):
            yield ROWS, block


def in_blocks(rows: Sequence[RowUpdate], came_us: int = 0) -> Iterator[bytes]:
    """Rows, packed, with when that came in from which they follow."""
    for start in range(0, len(rows), _ROWS_PER_BLOCK):
        yield pack_updates(rows[start : start + _ROWS_PER_BLOCK], came_us)


def bucket_of(key: str, buckets: int) -> str:
    """The shelf that a key's cell stands on: the same in every process and release."""
    return str(crc32(key.encode()) % buckets)

"""What a bundle has to say, given out when it ends: one element per table and per shelf of a later stage.

An element costs a runner far more than what is in it. A stage of its own that gathered them doubled the bundles that a
message passes through on its way, and with them the time that a change took to be told.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal, TypeAlias
from zlib import crc32

from apache_beam.pvalue import TaggedOutput
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.timestamp import MAX_TIMESTAMP, Timestamp
from apache_beam.utils.windowed_value import WindowedValue

from schemas.update import RowUpdate, pack_updates
from transforms.stream.cell import Output
from transforms.stream.facts import Message, pack_messages

Keyed = tuple[str, bytes]
"""(shelf, packed messages or records)."""
ROWS = "rows"
_ROWS_PER_BLOCK = 1_000

Outputs: TypeAlias = (
    TaggedOutput[Literal["rows"], bytes]
    | TaggedOutput[Literal["names"], Keyed]
    | TaggedOutput[Literal["registry"], Keyed]
    | TaggedOutput[Literal["links"], Keyed]
    | TaggedOutput[Literal["devices"], Keyed]
    | TaggedOutput[Literal["users"], Keyed]
    | TaggedOutput[Literal["profiles"], Keyed]
    | TaggedOutput[Literal["receipts"], Keyed]
)


class Outbox:
    """Gathers the outputs of one bundle: rows, and messages by the shelf that they are for."""

    def __init__(self, buckets: int) -> None:
        self._buckets = buckets
        self._messages: dict[tuple[str, str], list[Message]] = {}
        self._rows: list[RowUpdate] = []
        self._at: Timestamp = MAX_TIMESTAMP

    def take(self, outputs: Iterable[Output], at: Timestamp) -> None:
        """Takes what follows from an element or a timer of the time `at`."""
        for output in outputs:
            if isinstance(output, RowUpdate):
                self._rows.append(output)
            else:
                address = output.stage, bucket_of(output.key, self._buckets)
                self._messages.setdefault(address, []).append(output)
        self._at = min(self._at, at)

    def give(self) -> Iterator[TaggedOutput[Any, WindowedValue]]:
        """All of it, packed, at the earliest of the times: nothing that follows from it may be late."""
        for (stage, bucket), messages in self._messages.items():
            yield TaggedOutput(stage, self._value((bucket, pack_messages(messages))))
        for block in in_blocks(self._rows):
            yield TaggedOutput(ROWS, self._value(block))

    def _value(self, element: Keyed | bytes) -> WindowedValue:
        return WindowedValue(element, self._at, [GlobalWindow()])


def in_blocks(rows: Sequence[RowUpdate]) -> Iterator[bytes]:
    """Rows, packed."""
    for start in range(0, len(rows), _ROWS_PER_BLOCK):
        yield pack_updates(rows[start : start + _ROWS_PER_BLOCK])


def bucket_of(key: str, buckets: int) -> str:
    """The shelf that a key's cell stands on: the same in every process and release."""
    return str(crc32(key.encode()) % buckets)

"""Gathers the messages of a bundle by key, so that one access to a cell serves many of them.

On a portable runner an access is a round trip; what it carries costs little. Before every keyed stage.
"""

from collections.abc import Iterable, Iterator

import apache_beam as beam
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.timestamp import MAX_TIMESTAMP, Timestamp
from apache_beam.utils.windowed_value import WindowedValue

Keyed = tuple[str, bytes]
_LENGTH = 4


class GroupInBundle(beam.DoFn):
    """(key, bytes) of one bundle -> (key, all its bytes), at the earliest of their times."""

    def start_bundle(self) -> None:
        self._parts: dict[str, list[bytes]] = {}
        self._times: dict[str, Timestamp] = {}

    def process(self, element: Keyed, at: Timestamp = beam.DoFn.TimestampParam) -> Iterator[Keyed]:
        key, part = element
        parts = self._parts.get(key)
        if parts is None:
            self._parts[key] = [part]
        else:
            parts.append(part)
        if at < self._times.get(key, MAX_TIMESTAMP):
            self._times[key] = at
        return iter(())

    def finish_bundle(self) -> Iterator[WindowedValue]:
        for key, parts in self._parts.items():
            at = self._times.get(key, MAX_TIMESTAMP)
            yield WindowedValue((key, join(parts)), at, [GlobalWindow()])


def join(parts: Iterable[bytes]) -> bytes:
    """Several byte strings as one."""
    return b"".join(len(part).to_bytes(_LENGTH, "big") + part for part in parts)


def split(data: bytes) -> Iterator[bytes]:
    """What `join` was given."""
    start = 0
    while start < len(data):
        end = start + _LENGTH + int.from_bytes(data[start : start + _LENGTH], "big")
        yield data[start + _LENGTH : end]
        start = end

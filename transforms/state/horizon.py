"""When the events of a cell have become so old that nothing changes them any more, and the cell leaves them behind.

An event older than the watermark by more than the allowed lateness does not come. A link that comes moves events that
are older than itself by the stitch window at most. So what is older than the watermark by both, the horizon, changes
only by what is rare: an alias that merges users, a deletion, new rules, a conflict with an event that came long ago.
"""

from __future__ import annotations

from dataclasses import dataclass
from zlib import crc32

HOUR_US = 3_600 * 1_000_000
DAY_US = 24 * HOUR_US
LEAST_EVENTS = 64


@dataclass(frozen=True, slots=True)
class Horizon:
    """Durations in microseconds.

    Args:
        age_us: how far behind the watermark what has settled lies, at the least.
        least: a cell with fewer events (and links, and stays) leaves none behind: its past costs less than a base.
        grid_us: a cell is looked at once in that time, with others of its shelf.
        archive: whether what is left behind can be read again.
        forgets: whether what a deletion has erased is gone for good once the deletion has settled.
    """

    age_us: int
    least: int = LEAST_EVENTS
    grid_us: int = DAY_US
    archive: bool = True
    forgets: bool = True

    def due(self, key: str, settled_by: int) -> int:
        """The watermark at which a cell is looked at, half of which will be `age_us` old when `settled_by` is."""
        # Not all cells of a job at midnight.
        phase = crc32(key.encode()) % 24 * (self.grid_us // 24)
        return -(-(settled_by + self.age_us - phase) // self.grid_us) * self.grid_us + phase

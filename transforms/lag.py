"""The lag from an event to its row, as counters that every runner can add up: how many rows were how late.

`row_lag_seconds_bucket:5` counts the rows that were written within five seconds after the event had come in. So the
counters are the buckets of a Prometheus histogram, whoever carries them there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

LAG_SECONDS: Final = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200)
"""The upper ends of the buckets."""
LAG_BUCKET: Final = "row_lag_seconds_bucket:"
"""And the end of the bucket, or `inf`."""
LAG_MILLISECONDS: Final = "row_lag_milliseconds"
"""The distribution of the lags."""
ROWS_WRITTEN: Final = "rows_written:"
"""And the table."""
_SECOND_US: Final = 1_000_000
_DAY_US: Final = 86_400 * _SECOND_US


def came_in_us(published_us: int, received_us: int | None) -> int:
    """When an event came in: it was received somewhere before it was published here.

    What was received more than a day before is history that somebody sends again: it came in when it was published.

    Args:
        published_us: when its source had it, microseconds since the epoch; 0: it is history, and this is 0.
        received_us: its `receivedAt`.

    >>> came_in_us(1_000_000, 400_000), came_in_us(1_000_000, None), came_in_us(0, 400_000)
    (400000, 1000000, 0)
    """
    if received_us is not None and published_us - _DAY_US <= received_us < published_us:
        return received_us
    return published_us


def lag_counts(rows: Mapping[int, int], now_us: int) -> Counter[str]:
    """The buckets' counters for rows that were written just now, but for those that follow from nothing that came in.

    Args:
        rows: when what they follow from came in -> how many; 0: nothing did.
        now_us: the present.
    """
    found: Counter[str] = Counter()
    for came_us, number in rows.items():
        if came_us:
            seconds = lag_us(came_us, now_us) / _SECOND_US
            found.update({f"{LAG_BUCKET}{end:g}": number for end in LAG_SECONDS if seconds <= end})
            found[f"{LAG_BUCKET}inf"] += number
    return found


def lag_us(came_us: int, now_us: int) -> int:
    """How late something is that is written now. Clocks differ: what seems to come from the future is not late."""
    return max(0, now_us - came_us)

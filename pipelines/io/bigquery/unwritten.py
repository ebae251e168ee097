"""Since when rows wait that bundles of this process have not yet had BigQuery accept, for metrics."""

from __future__ import annotations

from schemas.stamp import earlier
from transforms.state.process import PROCESS, Registry

# By who appends them: when that came in whose rows wait longest, microseconds since the epoch.
_SINCE: Registry[int, int] = PROCESS.registry()


def hold(appender: int, came_us: int) -> None:
    """Rows of an appender wait, which follow from what came in at an instant; 0: from nothing that did.

    Args:
        appender: any number that is nobody else's.
        came_us: microseconds since the epoch.
    """
    if came_us:
        _SINCE.put(appender, earlier(_SINCE.find(appender) or 0, came_us))


def let_go(appender: int) -> None:
    """None of an appender's rows wait any more: BigQuery has them, or they come again with another bundle."""
    _SINCE.take(appender)


def unwritten_since_us() -> int:
    """When that came in whose rows wait longest, microseconds since the epoch; 0: none wait."""
    return min((came_us for _, came_us in _SINCE.snapshot()), default=0)

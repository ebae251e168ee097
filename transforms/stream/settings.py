"""What the stages of the stream are told when the job starts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from transforms.identity.aliases import DEFAULT_MAX_MERGES
from transforms.identity.links import DEFAULT_STITCH_WINDOW_US
from transforms.profiles.evaluate import Rules
from transforms.state.boot_shelves import BootShelves
from transforms.state.horizon import DAY_US, LEAST_EVENTS, Horizon

DEFAULT_BUCKETS = 64
MILLISECOND_US = 1_000
LIVE_CELLS, LEAST_LIVE_CELLS = 40_000, 1_000
"""An unpacked profile is 28 KB where the packed one is 160 bytes, so a worker that has all shelves keeps no more."""
CATCH_UP_STEPS = 64
"""A timer may be late by that part of how far the stream is behind the clock."""


class RulesSource(Protocol):
    """Where workers find the rules of the moment."""

    def current(self) -> Rules:
        """The rules; the same object until they change."""


@dataclass(frozen=True)
class FixedRules:
    """Rules that never change. Pickles as its definitions."""

    rules: Rules

    def current(self) -> Rules:
        return self.rules

    def __reduce__(self) -> Any:
        return _fixed_rules, (self.rules.definitions,)


def _fixed_rules(definitions: Any) -> FixedRules:
    return FixedRules(Rules(definitions))


@dataclass(frozen=True)
class StreamSettings:
    """Durations in microseconds.

    Args:
        rules: where the definitions are.
        clock: microseconds since the epoch; for `recorded_at`, and to know a drain: no watermark is ahead of the clock,
            so a timer beyond it fires only because the job is being drained, and is ignored.
        allowed_lateness_us: how long after its time an event may come.
        clock_skew_us: how far the clocks of workers may differ.
        stitch_window_us: how long before its first link a device's events become the user's, microseconds.
        max_merges: how many users aliases may put into one profile.
        buckets: how many shelves a stage has: the most workers that can share its work. Part of the update contract.
        archive: whether what cells leave behind is kept, to be read when a cell needs its past.
        settle_from: how many events a cell has at least when it leaves some behind.
        settle_grid_us: how often a cell is looked at for that, in event time.
        boot: what the shelves hold at first; None: nothing. Told to each of them at the start by an empty element.
        apart: whether the later stages ask for other resources than the earlier ones, so that a runner which has a
            worker for each kind of them has two.
        timer_grid_us: a shelf's timer stands at a multiple of it, so that one call serves all that is due until then.
    """

    rules: RulesSource
    clock: Callable[[], int]
    allowed_lateness_us: int
    clock_skew_us: int = 60 * 1_000_000
    stitch_window_us: int = DEFAULT_STITCH_WINDOW_US
    max_merges: int = DEFAULT_MAX_MERGES
    buckets: int = DEFAULT_BUCKETS
    timer_grid_us: int = 100_000
    archive: bool = True
    settle_from: int = LEAST_EVENTS
    settle_grid_us: int = DAY_US
    boot: BootShelves | None = None
    apart: bool = False

    def horizon(self) -> Horizon:
        """When the events of a cell have settled."""
        age_us = self.allowed_lateness_us + self.stitch_window_us
        return Horizon(age_us, self.settle_from, self.settle_grid_us, self.archive)

    def live_cells(self) -> int:
        """How many cells of a shelf are kept unpacked: of all shelves of a stage together LIVE_CELLS, or a few each."""
        return max(LEAST_LIVE_CELLS, LIVE_CELLS // self.buckets)

    def timer_for(self, due_us: int, grid_us: int = 0) -> int:
        """The instant at which to wake for what is due at `due_us`: with all else that is due at about that time.

        A live stream is woken ten times a second at most. One that catches up with the past is woken for longer and
        longer stretches at once, the farther behind it is; the instants of what happens in them stay exact. Without
        that a shop's history of six weeks came with 5,000 calls of every shelf, most of the time that it took.
        """
        behind_us = self.clock() - due_us
        step = max(grid_us, self.timer_grid_us, behind_us // CATCH_UP_STEPS, MILLISECOND_US)
        step -= step % MILLISECOND_US  # what every runner can keep
        return -(-due_us // step) * step

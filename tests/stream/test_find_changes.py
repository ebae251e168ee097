"""When profiles are evaluated without an event: everybody when the rules are new, and else once a day, by turns."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from tests.stream.test_shelf_state import Value
from transforms.profiles.history_cell import REFRESH
from transforms.state.facts import Message, unpack_messages
from transforms.state.outbox import bucket_of
from transforms.state.shelf_dofn import EVERYONE
from transforms.stream.find_changes import PARTS, FindChanges, called
from transforms.stream.settings import StreamSettings

DAY_US = 86_400 * 1_000_000
NOON_US = 20_000 * DAY_US + DAY_US // 2
BUCKETS = 4
KEYS = [f"user:u{number}" for number in range(3_000)]


@dataclass
class Ticker:
    """The stage, what it keeps, the clock and the rules."""

    now_us: int = NOON_US
    fingerprint: str = "the rules"
    last: Value = field(default_factory=Value)

    def __post_init__(self) -> None:
        settings = StreamSettings(self, lambda: self.now_us, allowed_lateness_us=0, buckets=BUCKETS)  # type: ignore[arg-type]
        self._stage = FindChanges(settings)

    def current(self) -> Ticker:
        """The rules, as far as the stage asks."""
        return self

    def tick(self, after_us: int) -> Counter[str]:
        """Time passes, and a tick comes: the keys that are called."""
        self.now_us += after_us
        found: Counter[str] = Counter()
        for bucket, packed in self._stage.process(("", b""), self.last):
            of_shelf = [key for key in KEYS if bucket_of(key, BUCKETS) == bucket]
            found.update(called(of_shelf, unpack_messages(packed), BUCKETS))
        return found


@given(st.lists(st.integers(0, DAY_US // 3), min_size=1, max_size=40))
def test_each_is_called_once_a_day_whenever_the_ticks_come(steps_us: list[int]) -> None:
    ticker = Ticker()
    assert ticker.tick(0) == {}
    sum_of_days: Counter[str] = Counter()
    for step_us in steps_us:
        sum_of_days += ticker.tick(step_us)
    days, rest_us = divmod(sum(steps_us), DAY_US)
    assert set(sum_of_days.values()) <= {days, days + 1}
    if days:
        assert sum_of_days.keys() == set(KEYS)
    turns = len(KEYS) * rest_us // DAY_US
    more = sum(times == days + 1 for times in sum_of_days.values())
    assert abs(more - turns) < len(KEYS) / 10, "as many as the time of the day says"


def test_a_minute_calls_a_part_of_a_shelf() -> None:
    ticker = Ticker()
    ticker.tick(0)
    found = [len(ticker.tick(60 * 1_000_000)) for _ in range(600)]
    assert max(found) < 3 * len(KEYS) / BUCKETS / PARTS
    assert sum(map(bool, found)) > 30


def test_after_a_day_without_a_tick_everybody_is_called_once() -> None:
    ticker = Ticker()
    ticker.tick(0)
    assert ticker.tick(2 * DAY_US) == dict.fromkeys(KEYS, 1)
    assert ticker.tick(0) == {}


def test_new_rules_call_everybody_at_two_ticks() -> None:
    ticker = Ticker()
    ticker.tick(0)
    ticker.fingerprint = "other rules"
    assert [len(ticker.tick(1)) for _ in range(3)] == [len(KEYS), len(KEYS), 0]


def test_what_a_release_wrote_that_counted_days_calls_everybody() -> None:
    ticker = Ticker()
    ticker.last.held = f"the rules {ticker.now_us // DAY_US}"  # type: ignore[assignment]
    assert len(ticker.tick(0)) == len(KEYS)
    assert ticker.tick(0) == {}


def test_a_clock_that_was_set_back_calls_nobody() -> None:
    ticker = Ticker()
    ticker.tick(0)
    assert ticker.tick(-DAY_US // 2) == {}


def test_one_who_is_called_for_everybody_and_by_turn_is_called_once() -> None:
    calls = [Message("", EVERYONE, (*REFRESH, 3)), Message("", EVERYONE, REFRESH)]
    assert called(KEYS, calls, BUCKETS) == KEYS
    assert called(KEYS, [], BUCKETS) == []

"""When a shelf wants to be woken."""

from __future__ import annotations

import pytest

from tests.laws.memory import seeded_world
from tests.stream.graphs import FixedClock
from transforms.profiles.evaluate import Rules
from transforms.stream.settings import CATCH_UP_STEPS, FixedRules, StreamSettings

SECOND_US = 1_000_000
DAY_US = 86_400 * SECOND_US
NOW_US = 20_000 * DAY_US


@pytest.fixture
def settings() -> StreamSettings:
    rules = FixedRules(Rules(seeded_world(1).definitions))
    return StreamSettings(rules, FixedClock(NOW_US), allowed_lateness_us=DAY_US)


@pytest.mark.parametrize("due_us", [NOW_US + 1, NOW_US + 7 * SECOND_US + 123_456])
def test_a_live_stream_is_woken_within_a_tenth_of_a_second(settings: StreamSettings, due_us: int) -> None:
    at_us = settings.timer_for(due_us)
    assert 0 <= at_us - due_us < 100_000
    assert settings.timer_for(due_us + 1) in (at_us, at_us + 100_000), "what is due together is woken together"


@pytest.mark.parametrize("behind_us", [64 * SECOND_US, 3 * DAY_US, 200 * DAY_US + 17])
def test_one_that_catches_up_is_woken_for_long_stretches_at_once(settings: StreamSettings, behind_us: int) -> None:
    due_us = NOW_US - behind_us
    at_us = settings.timer_for(due_us)
    assert due_us <= at_us <= due_us + behind_us // CATCH_UP_STEPS
    assert at_us <= NOW_US, "a timer ahead of the clock would be taken for a drain"
    assert at_us % 1_000 == 0, "what every runner can keep"


def test_a_timer_may_have_a_wider_grid(settings: StreamSettings) -> None:
    hour_us = 3_600 * SECOND_US
    assert settings.timer_for(NOW_US + 1, hour_us) == NOW_US + hour_us

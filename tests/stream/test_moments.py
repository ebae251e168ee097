"""An engine that goes back to any of its moments ends where one that replays everything does."""

from __future__ import annotations

import pytest

from tests.laws.memory import seeded_world
from tests.stream.test_stream_ends_where_batch_does import wrong
from transforms.profiles import history_engine


@pytest.mark.parametrize("every", [1, 2, 3])
def test_any_order_of_arrival_ends_in_the_tables_of_the_bounded_job(
    every: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_engine, "_MOMENT_EVERY", every)
    monkeypatch.setattr(history_engine, "_MANY", every)
    seeds = range(every * 1_000, every * 1_000 + 60)
    assert not [seed for seed in seeds if wrong(seeded_world(seed), seed)]

"""The columnar evaluator says what `replay` says, of generated rules and of several profiles at once."""

from __future__ import annotations

from tests.segments.history.agreement import by_columns, by_replay, differences
from tests.segments.history.worlds import seeded_profiles


def test_columns_agree_with_replay_on_seeded_worlds() -> None:
    for seed in range(200):
        given = seeded_profiles(seed)
        assert not differences(by_replay(*given), by_columns(*given)), f"seed {seed}"

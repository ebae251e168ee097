"""The size of what Beam's cache of state holds is what Beam says it is."""

import pytest
from apache_beam.runners.worker import statecache

from transforms.state.shelf_dofn import deep_size, measure_values_only

SAME = b"block"
VALUES = (
    [],
    [b""],
    [b"head" * 1000],
    [SAME, SAME, b"another"],
    ["mark"],
    None,
    [len, print, statecache, pytest.raises],
)


@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
def test_a_value_is_as_large_as_beam_says(value: object) -> None:
    beams_own = statecache.objsize.get_deep_size(
        value,
        get_size_func=statecache._size_func,
        get_referents_func=statecache._get_referents_func,
        filter_func=statecache._filter_func,
    )
    assert deep_size(value) == beams_own


def test_beam_measures_by_it_from_the_first_call_on() -> None:
    measure_values_only()
    cache = statecache.StateCache(1_000_000)
    cache.put("key", [b"value"])
    assert statecache.get_deep_size is deep_size
    assert cache.peek("key") == [b"value"]

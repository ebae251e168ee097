"""What all tests of the stream share."""

from __future__ import annotations

from typing import Any

import pytest
from apache_beam.transforms import core


@pytest.fixture(autouse=True)
def remembered_signatures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beam's bundle-based runner looks at the signatures of a stateful DoFn at every bundle: most of a test's time."""
    known: dict[tuple[type, str], Any] = {}
    look = core.get_function_arguments

    def remembered(fn: Any, method: str) -> Any:
        key = (type(fn), method)
        if not isinstance(fn, core.DoFn) or type(fn) is core.CallableWrapperDoFn:
            return look(fn, method)  # what they say depends on the function that they hold
        if key not in known:
            known[key] = look(fn, method)
        return known[key]

    monkeypatch.setattr(core, "get_function_arguments", remembered)

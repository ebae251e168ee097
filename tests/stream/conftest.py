"""What all tests of the stream share."""

from __future__ import annotations

from typing import Any

import pytest
from apache_beam.internal import cloudpickle_pickler
from apache_beam.runners.direct import transform_evaluator


class PicklesOnce:
    """Beam's bundle-based runner gives each bundle a DoFn of its own, unpickled. Pickling it once is enough."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Any, bytes]] = {}

    def roundtrip(self, fn: Any) -> Any:
        if id(fn) not in self._known:
            self._known[id(fn)] = fn, cloudpickle_pickler._dumps(fn)
        return cloudpickle_pickler._loads(self._known[id(fn)][1])


@pytest.fixture(autouse=True)
def _pickles_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transform_evaluator, "pickler", PicklesOnce())

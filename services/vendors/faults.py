"""Faults that a test orders: of the n-th request, or of every one that matches.

| kind | what happens |
| --- | --- |
| `error` | the status is answered, nothing else happens |
| `lost` | the request takes effect, and the answer is lost: the connection breaks |
| `refused` | the connection breaks before anything happens |
| `late` | the request takes effect, and the answer is a 500 |
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

FaultKind = Literal["error", "lost", "refused", "late"]


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. `request` counts from 0, over all requests; None: every request whose path contains `path`."""

    kind: FaultKind
    request: int | None = None
    status: int = 500
    headers: tuple[tuple[str, str], ...] = ()
    body: object = None
    path: str = ""
    times: int = 1


@dataclass(slots=True)
class Faults:
    """What is ordered, and what has been asked so far."""

    ordered: list[Fault] = field(default_factory=list)
    requests: int = 0
    _done: dict[int, int] = field(default_factory=dict)

    def next(self, path: str) -> Fault | None:
        """The fault of the request that comes in now."""
        number, self.requests = self.requests, self.requests + 1
        for place, fault in enumerate(self.ordered):
            matches = fault.request == number if fault.request is not None else fault.path in path
            if matches and self._done.get(place, 0) < fault.times:
                self._done[place] = self._done.get(place, 0) + 1
                return fault
        return None

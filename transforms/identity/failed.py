"""What failed and names an erased user loses its bytes, errors and attributes; the row stays (docs/identity.md). Pure.

The stream keeps the same decision up to date (cells/failures.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from transforms.failed_events import RAW, REASON, emptied
from transforms.identity.devices import Device
from transforms.identity.links import Link
from transforms.identity.named import named_in, names_erased
from transforms.identity.plan import IdentityPlan


class FailedErasure:
    """Knows of every failure whether it names somebody who is erased.

    Args:
        plan: who is erased.
        links: all links of the devices that were ever linked to one of them (`devices.links_of_erased`).
    """

    def __init__(self, plan: IdentityPlan, links: Mapping[str, Sequence[Link]]) -> None:
        self._plan = plan
        self._links = links
        self._devices: dict[str, Device] = {}

    def left_of(self, row: tuple[Any, ...]) -> tuple[Any, ...]:
        """What erasure leaves of a row of `failed_events`."""
        named = named_in(row[REASON], row[RAW])
        return emptied(row) if names_erased(named, self._plan.erased_by, self._erases) else row

    def _erases(self, device_id: str, timestamp: int | None) -> bool:
        if device_id not in self._links:
            return False
        if device_id not in self._devices:
            self._devices[device_id] = Device(self._plan, self._links[device_id])
        return self._devices[device_id].erases(timestamp)

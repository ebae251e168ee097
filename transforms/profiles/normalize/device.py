"""The kind of device that an event's context names."""

from __future__ import annotations

from functools import lru_cache

import orjson


@lru_cache(1_024)
def device_type_of(context: bytes | None) -> str | None:
    """`context.device.type`; None where the context names none. An event is asked several times on its way."""
    # Most contexts name a device or none at all: look for the word before decoding.
    if context is None or b'"device"' not in context:
        return None
    device = orjson.loads(context).get("device")
    kind = device.get("type") if isinstance(device, dict) else None
    return kind if isinstance(kind, str) and kind else None

"""What the handlers share: made once per process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from api.answers import ApiError, away
from api.gather import RETRY_SECONDS, Gather, TargetAway
from api.keys import Key, Keys
from api.limits import Limiter
from api.metrics import Metrics
from transforms.collect.events import instant, lines

_CHALLENGE = ((b"www-authenticate", b'Bearer realm="tidemark"'),)


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class Services:
    """Keys, limits, counters, and the place for events."""

    keys: Keys
    limiter: Limiter
    metrics: Metrics
    events: Gather
    clock: Callable[[], datetime] = _now

    def received_at(self) -> str:
        """The present, as events carry it."""
        return instant(self.clock())

    def now_us(self) -> int:
        """The present, microseconds since the epoch."""
        return round(self.clock().timestamp() * 1_000_000)

    def allow(self, key_text: str, scope: str) -> Key:
        """The entry of a key that may do what is asked.

        Raises:
            ApiError: 401 no such key, 403 it may not, 429 it has used up what it may.
        """
        key = self.keys.find(key_text) if key_text else None
        if key is None:
            what = "no such key" if key_text else "a key is needed"
            raise ApiError(401, "unauthorized", f"{what}: Authorization: Basic, with the key as user", _CHALLENGE)
        if scope not in key.may:
            raise ApiError(403, "forbidden", f"this key may not {scope}")
        self.limiter.take(key)
        return key

    async def keep(self, events: list[Any]) -> None:
        """Makes events safe, all of them.

        Raises:
            ApiError: 503, they are not known to be.
        """
        await self.keep_lines(lines(events))

    async def keep_lines(self, events: list[bytes]) -> None:
        """As `keep`, of events that are written already."""
        try:
            await self.events.put(events)
        except TargetAway as error:
            raise away(str(error), RETRY_SECONDS) from None

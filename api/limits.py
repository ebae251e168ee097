"""How much each key may ask for: a bucket of one second's requests, filled as time goes by."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from api.answers import ApiError, retry_after
from api.keys import Key


class Limiter:
    """Counts requests by key, in this process.

    Args:
        share: the part of a key's rate that this process may give (one of several workers).
        clock: monotonic seconds.
    """

    def __init__(self, share: float = 1.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._share = share
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, key: Key) -> None:
        """Counts one request.

        Raises:
            ApiError: 429, the key has used up what it may; with Retry-After.
        """
        rate = max(1.0, key.rate * self._share)
        now = self._clock()
        left, at = self._buckets.get(key.name, (rate, now))
        left = min(rate, left + (now - at) * rate)
        if left >= 1:
            self._buckets[key.name] = (left - 1, now)
            return
        self._buckets[key.name] = (left, now)
        seconds = math.ceil((1 - left) / rate)
        reset = (b"x-ratelimit-reset", str(max(1, seconds)).encode())
        message = f"over {key.rate} requests a second with this key"
        raise ApiError(429, "too_many_requests", message, (*retry_after(seconds), reset))

"""HTTP to a destination: time limits, rates, and what is worth another try.

Everything that is sent through it may be sent twice: what a destination is asked for is always a state, never a step.
No text of an error holds what was sent.
"""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import orjson

from transforms.retrying import RETRIED_STATUSES, wait_asked_for

CONNECT_SECONDS, ANSWER_SECONDS = 10.0, 120.0
TRIES = 6
FIRST_DELAY_SECONDS, MOST_DELAY_SECONDS = 0.5, 30.0
PATIENCE_SECONDS = 120.0
"""A destination that asks for a longer pause is left alone until the next run."""

_AUTHORIZATION = (401, 403)


class Later(Exception):  # noqa: N818 - it says when, not what went wrong
    """The request may have had an effect or not; the next run asks again. The text says why."""


class Stop(Later):
    """Nothing more can be sent to this destination in this run."""


@dataclass(frozen=True, slots=True)
class Clock:
    """What the client waits by; a test's own stands still."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = time.sleep
    wall: Callable[[], float] = time.time


class Rate:
    """At most so many requests in so many seconds, over all threads."""

    def __init__(self, requests: int, seconds: float, clock: Clock) -> None:
        self._requests, self._seconds, self._clock = requests, seconds, clock
        self._sent: deque[float] = deque()
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Until one more may be sent."""
        with self._lock:
            now = self._clock.now()
            while self._sent and self._sent[0] <= now - self._seconds:
                self._sent.popleft()
            if len(self._sent) >= self._requests:
                self._clock.sleep(self._sent[0] + self._seconds - now)
                self._sent.popleft()
                now = self._clock.now()
            self._sent.append(now)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a destination answered. `body` is the JSON value, None where there is none."""

    status: int
    body: Any
    headers: Mapping[str, str]

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    def get(self, name: str, default: Any = None) -> Any:
        """A member of the body, if it is an object."""
        return self.body.get(name, default) if isinstance(self.body, dict) else default


class Client:
    """One destination's connection. Used by several threads.

    Args:
        url: what paths are appended to.
        headers: of every request.
        rate: how often it may be asked.
        connections: how many requests may be under way at once.
        transport: instead of the network, in tests.
        is_daily: whether an answer of 429 means: not again today.
    """

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str],
        *,
        rate: Rate | None = None,
        connections: int = 8,
        auth: tuple[str, str] | None = None,
        clock: Clock | None = None,
        transport: httpx.BaseTransport | None = None,
        is_daily: Callable[[Answer], bool] = lambda answer: False,
        before: Callable[[str], None] = lambda url: None,
    ) -> None:
        limits = httpx.Limits(max_connections=connections)
        timeout = httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS)
        self._client = httpx.Client(
            headers={"User-Agent": "tidemark", **headers},
            auth=auth,
            timeout=timeout,
            limits=limits,
            transport=transport,
            trust_env=False,
        )
        self._url = url.rstrip("/")
        self._rate, self._is_daily, self._before = rate, is_daily, before
        self._clock = clock or Clock()

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content: bytes | None = None,
        params: Mapping[str, str] | None = None,
        headers: Callable[[], Mapping[str, str]] = dict,
    ) -> Answer:
        """Sends until it is answered for good: a success, or a refusal that another try would not change.

        Args:
            method: of HTTP.
            path: appended to the client's URL.
            body: sent as JSON.
            content: sent instead of a body.
            params: of the query.
            headers: made anew for each try.

        Raises:
            Later: no answer, or none but transient ones, for as long as is worth waiting.
            Stop: the destination lets nobody in, or not before the next run.
        """
        data = content if content is not None else None if body is None else orjson.dumps(body)
        delay, reason = FIRST_DELAY_SECONDS, ""
        for last in [False] * (TRIES - 1) + [True]:
            if self._rate is not None:
                self._rate.wait()
            pause = delay * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret
            try:
                answer = self._send(method, path, data, params, headers())
            except httpx.TransportError as error:
                reason = f"no answer: {type(error).__name__}"
            else:
                if answer.status == 429 and self._is_daily(answer):
                    raise Stop("the daily limit is reached")
                if answer.status in _AUTHORIZATION:
                    raise Stop(f"not let in: status {answer.status}")
                if answer.status not in RETRIED_STATUSES:
                    return answer
                reason = f"status {answer.status}"
                now = datetime.fromtimestamp(self._clock.wall(), UTC)
                asked = wait_asked_for(answer.headers.get("retry-after"), now)
                if asked is not None and asked > PATIENCE_SECONDS:
                    raise Stop(f"{reason}: asks for a pause of {asked:.0f} s")
                pause = max(pause, asked or 0)
            if not last:
                self._clock.sleep(pause)
            delay = min(delay * 2, MOST_DELAY_SECONDS)
        raise Later(f"{reason}, {TRIES} times")

    def _send(
        self, method: str, path: str, data: bytes | None, params: Mapping[str, str] | None, headers: Mapping[str, str]
    ) -> Answer:
        url = self._url + path
        self._before(url)
        kind = {"Content-Type": "application/json"} if data is not None else {}
        answer = self._client.request(method, url, content=data, params=params, headers={**kind, **headers})
        try:
            body = orjson.loads(answer.content) if answer.content else None
        except orjson.JSONDecodeError:
            body = None
        return Answer(answer.status_code, body, answer.headers)

    def close(self) -> None:
        """Hangs up."""
        self._client.close()

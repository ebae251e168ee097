"""Requests to an API that are made again when that may help: faults that pass, rate limits, an expired token.

Errors:
    RequestError: it does not help. The text names the place, the status, never what was sent or answered.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson

from pipelines.io.http.tokens import ClientCredentials, FixedHeader, TokenError, Tokens
from transforms.pull.definition import Auth
from transforms.retrying import LONGEST_WAIT_SECONDS, MOST_ATTEMPTS, RETRIED_STATUSES, wait_asked_for, wait_before

TIMEOUT_SECONDS = 60.0
MOST_BYTES = 256 * 1024 * 1024
"""An answer that is longer is refused before it fills the memory."""


class RequestError(Exception):
    """A request that failed for good, and why."""


class PassingError(Exception):
    """What an answer was refused for, and may be over at the next attempt."""


class ApiClient:
    """GET requests to one server. Not shared between threads.

    Args:
        base: a URL on the server; credentials go nowhere else.
        auth: who asks.
        headers: of every request.
        transport: None: the network.
        sleep: waits for a number of seconds.
        tell: is told of each wait, in words.
    """

    def __init__(
        self,
        base: str,
        auth: Auth,
        headers: Mapping[str, str] | None = None,
        *,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], object] = time.sleep,
        tell: Callable[[str], object] = lambda _text: None,
    ) -> None:
        self._origin = _origin(base)
        self._sleep = sleep
        self._tell = tell
        self._header, self._tokens = _credential(auth, transport)
        self._client = httpx.Client(
            headers={"Accept": "application/json", "User-Agent": "tidemark", **(headers or {})},
            timeout=TIMEOUT_SECONDS,
            transport=transport,
            follow_redirects=False,
        )
        self.requests = 0

    def close(self) -> None:
        self._client.close()

    def get_json(
        self, url: str, parameters: Mapping[str, str], check: Callable[[Any], None] = lambda _body: None
    ) -> tuple[Any, httpx.Headers]:
        """The body and the headers of a successful answer.

        Args:
            url: on the server.
            parameters: of the query; a URL that has one of its own keeps it.
            check: raises PassingError for a body that tells of a fault, or is not whole.

        Raises:
            RequestError: see the module.
        """
        if _origin(url) != self._origin:
            raise RequestError(f"{_place(url)} is another server than {self._origin}: credentials are not sent there")
        attempt, renewed = 1, False
        while True:
            answer: httpx.Response | None = None
            try:
                answer = self._get(url, parameters)
                if answer.status_code == httpx.codes.UNAUTHORIZED and not renewed and self._renew():
                    renewed = True
                    continue
                if answer.is_success:
                    body = _json(answer)
                    check(body)
                    return body, answer.headers
                fault = f"status {answer.status_code}"
                if answer.status_code not in RETRIED_STATUSES:
                    raise RequestError(f"{_place(url)}: {fault}{_advice(answer)}")
            except (httpx.TransportError, PassingError) as error:
                fault = str(error) if isinstance(error, PassingError) else type(error).__name__
            except TokenError as error:
                raise RequestError(str(error)) from error
            self._wait(url, attempt, fault, answer)
            attempt += 1

    def _renew(self) -> bool:
        return self._tokens is not None and self._tokens.renew()

    def _get(self, url: str, parameters: Mapping[str, str]) -> httpx.Response:
        self.requests += 1
        headers = {} if self._tokens is None else {self._header: self._tokens.header()}
        asked = httpx.URL(url)
        if parameters:
            asked = asked.copy_merge_params(dict(parameters))
        with self._client.stream("GET", asked, headers=headers) as answer:
            parts, size = [], 0
            for part in answer.iter_bytes():
                parts.append(part)
                size += len(part)
                if size > MOST_BYTES:
                    raise RequestError(f"{_place(url)}: the answer is larger than {MOST_BYTES // 2**20} MB")
        return httpx.Response(
            answer.status_code,
            headers=_without_encoding(answer.headers),
            content=b"".join(parts),
            request=answer.request,
        )

    def _wait(self, url: str, attempt: int, fault: str, answer: httpx.Response | None) -> None:
        now = datetime.now(UTC)
        asked_for = (
            None if answer is None else wait_asked_for(answer.headers.get("retry-after"), _server_now(answer, now))
        )
        seconds = wait_before(attempt, asked_for)
        if attempt >= MOST_ATTEMPTS:
            raise RequestError(f"{_place(url)}: {fault}, {attempt} times")
        if seconds > LONGEST_WAIT_SECONDS:
            raise RequestError(f"{_place(url)}: {fault}; the server asks to come again in {seconds / 60:,.0f} minutes")
        self._tell(f"{fault}; again in {seconds:g} s")
        self._sleep(seconds)


def server_time(headers: httpx.Headers) -> datetime | None:
    """The server's own clock, by the header `Date`."""
    try:
        found = parsedate_to_datetime(headers["date"])
    except (KeyError, ValueError, TypeError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _server_now(answer: httpx.Response, now: datetime) -> datetime:
    """A date in `Retry-After` is by the server's clock, which need not be ours."""
    return server_time(answer.headers) or now


def _without_encoding(headers: httpx.Headers) -> list[tuple[str, str]]:
    return [
        (name, value) for name, value in headers.multi_items() if name not in ("content-encoding", "content-length")
    ]


def _json(answer: httpx.Response) -> Any:
    try:
        return orjson.loads(answer.content)
    except orjson.JSONDecodeError as error:
        raise PassingError("the answer is no JSON, or not whole") from error


def _credential(auth: Auth, transport: httpx.BaseTransport | None) -> tuple[str, Tokens | None]:
    """The header that says who asks, and what gives its value."""
    settings = auth.settings
    if auth.kind == "oauth2":
        return "Authorization", ClientCredentials(settings, transport)
    if auth.kind == "bearer":
        return "Authorization", FixedHeader(f"Bearer {settings['token']}")
    if auth.kind == "basic":
        pair = f"{settings['user']}:{settings['password']}".encode()
        return "Authorization", FixedHeader(f"Basic {base64.b64encode(pair).decode()}")
    if auth.kind == "header":
        return settings["name"], FixedHeader(settings["value"])
    return "", None


def _origin(url: str) -> str:
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    return f"{parts.scheme}://{parts.hostname}:{port}"


def _place(url: str) -> str:
    """A URL without its query, which may hold what is secret or personal."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}{parts.path}"


def _advice(answer: httpx.Response) -> str:
    if answer.status_code in (401, 403):
        return ": the credentials are refused, or may not read this"
    if answer.is_redirect:
        return ": it leads elsewhere; give the URL that it leads to"
    return ""

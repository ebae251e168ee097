"""OAuth2 client credentials (RFC 6749, 4.4): a token that is renewed before it expires. Not shared between threads."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from typing import Any, Protocol

import httpx

LEEWAY_SECONDS = 60.0
"""A token is renewed so long before its end; a short one at half its life."""
_BEARER = "Bearer"


class TokenError(Exception):
    """The token endpoint gave no token; the text holds no secret."""


class Tokens(Protocol):
    """What gives the value of `Authorization`."""

    def header(self) -> str:
        """The value to send now."""

    def renew(self) -> bool:
        """After a 401: whether it is worth asking again."""


class ClientCredentials:
    """Tokens of the client itself.

    Args:
        settings: `token_url`, `client_id`, `client_secret` and maybe `scope`.
        transport: of the requests for tokens; None: the network.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        settings: dict[str, str],
        transport: httpx.BaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._transport = transport
        self._clock = clock
        self._token = ""
        self._renew_at: float | None = None

    def header(self) -> str:
        """The value of `Authorization`, by a token that has not expired."""
        if not self._token or (self._renew_at is not None and self._clock() >= self._renew_at):
            self._fetch()
        return f"{_BEARER} {self._token}"

    def renew(self) -> bool:
        """Gets another token, whatever the present one says of itself."""
        self._fetch()
        return True

    def _fetch(self) -> None:
        asked_at = self._clock()
        token = self._ask()
        self._token = str(token["access_token"])
        lifetime = token.get("expires_in")
        # A token that does not say when it ends is used until it is refused.
        self._renew_at = None
        if lifetime is not None:
            self._renew_at = asked_at + max(float(lifetime) - LEEWAY_SECONDS, float(lifetime) / 2)

    def _ask(self) -> dict[str, Any]:
        from authlib.integrations.base_client import OAuthError

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it would rather have another HTTP library
            from authlib.integrations.httpx_client import OAuth2Client
        client = OAuth2Client(
            client_id=self._settings["client_id"],
            client_secret=self._settings["client_secret"],
            scope=self._settings.get("scope"),
            transport=self._transport,
            timeout=30.0,
        )
        try:
            with client:
                token: dict[str, Any] = dict(
                    client.fetch_token(self._settings["token_url"], grant_type="client_credentials")
                )
        except OAuthError as error:
            raise TokenError(f"the token endpoint refuses: {error.error}") from None
        except ValueError as error:
            raise TokenError("the token endpoint answers no JSON") from error
        if not token.get("access_token"):
            raise TokenError("the token endpoint's answer has no access_token")
        return token


class FixedHeader:
    """A credential that stays as it is."""

    def __init__(self, value: str) -> None:
        self._value = value

    def header(self) -> str:
        return self._value

    def renew(self) -> bool:
        return False

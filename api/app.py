"""The ASGI application: events go straight to their handler, everything else through Starlette.

Whatever goes wrong is JSON with `code` and `message`. No log line and no error holds what was sent.
"""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from api.answers import ApiError, Receive, Scope, Send, answer_error
from api.bodies import ClientGone
from api.cors import cors_headers
from api.services import Services
from api.tracking import EVENT_PATHS, Tracking, pixel_type

_LOGGER = logging.getLogger(__name__)
_BROWSER_PATHS = ("/v1/", "/beacon/", "/pixel/", "/sourceConfig", "/rsaMetrics", "/analytics")
_GONE = 499  # nobody was there to be answered


class Application:
    """Routes requests, counts them, and turns errors into answers.

    Args:
        services: what the handlers share.
        others: answers everything but events, and does what is due at start and end.
    """

    def __init__(self, services: Services, others: ASGIApp) -> None:
        self._services = services
        self._tracking = Tracking(services)
        self._others = others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._others(scope, receive, send)
            return
        start = time.perf_counter()
        route, status = "other", _GONE
        try:
            path = scope["path"]
            kind = EVENT_PATHS.get(path) or EVENT_PATHS.get(path.rstrip("/"))
            if kind is not None and scope["method"] == "POST":
                route = "client_metrics" if kind == "metrics" else kind
                status = await self._tracking.post(kind, scope, receive, send)
            elif scope["method"] == "OPTIONS" and path.startswith(_BROWSER_PATHS):
                route = "preflight"
                status = await self._tracking.preflight(scope, send)
            elif kind is not None:
                raise ApiError(405, "method_not_allowed", "expected POST", ((b"allow", b"POST, OPTIONS"),))
            elif (pixel := pixel_type(path)) is not None and scope["method"] in ("GET", "HEAD"):
                route = "pixel"
                status = await self._tracking.pixel(pixel, scope, send)
            else:
                status, route = await self._other(scope, receive, send)
        except ClientGone:
            pass
        except ApiError as error:
            status = error.status
            await answer_error(send, error, self._cors(scope))
        except Exception as error:  # noqa: BLE001 - the client gets an answer, whatever it was
            status = 500
            log_fault(error)
            await answer_error(send, ApiError(500, "internal", "this is a fault of the server"), self._cors(scope))
        if status != _GONE:
            self._services.metrics.answered(route, status, time.perf_counter() - start)

    async def _other(self, scope: Scope, receive: Receive, send: Send) -> tuple[int, str]:
        status = 500

        async def watched(message: Mapping[str, object]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(str(message["status"]))
            await send(dict(message))

        scope["app"] = self  # by which the router knows that its errors are caught here
        try:
            await self._others(scope, receive, watched)
        except HTTPException as error:
            raise _http_error(error) from None
        return status, str(scope.get("tidemark.route", "other"))

    def _cors(self, scope: Scope) -> tuple[tuple[bytes, bytes], ...]:
        if not scope["path"].startswith(_BROWSER_PATHS):
            return ()
        return cors_headers(self._services.keys, dict(scope["headers"]).get(b"origin"))


def _http_error(error: HTTPException) -> ApiError:
    """What the router says: there is no such path, or not with this method."""
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "refused")
    headers = [(name.lower().encode(), value.encode()) for name, value in (error.headers or {}).items()]
    return ApiError(error.status_code, code, error.detail, headers)


def log_fault(error: BaseException) -> None:
    """Where in the code it happened and of what type it is, not its text: that may quote what was sent."""
    frames = traceback.extract_tb(error.__traceback__)
    places = " <- ".join(f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}" for frame in reversed(frames[-6:]))
    _LOGGER.error("a fault of the server: %s at %s", type(error).__name__, places)

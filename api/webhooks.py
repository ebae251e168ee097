"""`POST /webhooks/{name}`: vendors' calls, signed as their definitions say."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from api.answers import SUCCESS, ApiError, retry_after
from api.bodies import read_body, refused
from api.services import Services
from api.system import careful
from transforms.collect.bodies import BodyError
from transforms.webhooks.definition import WebhookDefinition
from transforms.webhooks.events import call_events
from transforms.webhooks.signatures import Call, is_signed

MOST_BYTES = 4 * 1024 * 1024
"""Vendors send more at once than clients: a thousand e-mail events, an order of many lines."""
_OFF_SECONDS = 300


class WebhookPages:
    """Takes vendors' calls.

    Args:
        services: what the handlers share.
        definitions: by name.
    """

    def __init__(self, services: Services, definitions: Mapping[str, WebhookDefinition]) -> None:
        self._services = services
        self._definitions = definitions

    async def take(self, request: Request) -> Response:
        definition = self._find(request)
        if not definition.signature.secrets:
            raise ApiError(503, "webhook_off", "this webhook has no secret yet", retry_after(_OFF_SECONDS))
        # A signature is over the bytes as they came: no vendor compresses them.
        body = await read_body(request.receive, "", MOST_BYTES)
        headers = {name.lower(): value for name, value in request.headers.items()}
        call = Call(headers, dict(request.query_params), body, self._services.now_us())
        if not is_signed(definition.signature, call):
            raise ApiError(401, "bad_signature", "the signature is not right; nothing was kept")
        try:
            events = call_events(definition, call, self._services.received_at())
        except BodyError as error:
            raise refused(error) from None
        await self._services.keep(events)
        return careful(SUCCESS)

    async def check(self, request: Request) -> Response:
        if not self._find(request).check:
            raise ApiError(405, "method_not_allowed", "expected POST", ((b"allow", b"POST"),))
        return careful(SUCCESS)

    def _find(self, request: Request) -> WebhookDefinition:
        definition = self._definitions.get(request.path_params["name"])
        if definition is None:
            raise ApiError(404, "not_found", "there is no such webhook")
        return definition

"""`POST /customers/{id}/update`: what a CRM says of a customer becomes an `identify`."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from api.answers import SUCCESS, ApiError
from api.bodies import read_body, refused
from api.keys import key_of_header
from api.services import Services
from api.system import careful
from transforms.collect.bodies import BodyError, parse_json
from transforms.collect.updates import MOST_KEY_CHARACTERS, update_event


class CustomerPages:
    """Takes customers' traits."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def update(self, request: Request) -> Response:
        services = self._services
        given = key_of_header(request.headers.get("authorization", ""))
        key = services.allow(given, "update")
        idempotency_key = request.headers.get("idempotency-key", "").strip()
        if len(idempotency_key) > MOST_KEY_CHARACTERS:
            limit = f"Idempotency-Key: at most {MOST_KEY_CHARACTERS} characters"
            raise ApiError(400, "bad_idempotency_key", limit)
        body = await read_body(request.receive, request.headers.get("content-encoding", ""))
        await services.keep([self._event(request.path_params["id"], key.name, idempotency_key, body)])
        return careful(SUCCESS)

    def _event(self, user_id: str, client: str, idempotency_key: str, body: bytes) -> dict[str, Any]:
        try:
            traits = parse_json(body)
        except BodyError as error:
            raise refused(error) from None
        if not isinstance(traits, dict):
            raise ApiError(400, "no_traits", "expected a JSON object of traits")
        return update_event(user_id, traits, client, idempotency_key, self._services.received_at())

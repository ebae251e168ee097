"""Made-up receivers: one of webhooks, which checks signatures, and one of a REST API that keeps what it is given."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any

from services.vendors.vendor import Asked, Operation, Vendor

_MESSAGE = {
    "type": "object",
    "required": ["type", "timestamp", "data"],
    "properties": {"type": {"type": "string"}, "timestamp": {"type": "string"}, "data": {"type": "object"}},
}


class WebhookReceiver(Vendor):
    """Takes webhooks signed as Standard Webhooks says.

    Attributes:
        messages: what came, by id: a message that comes again is one.
        members: who is in which segment by what came, in the order in which it came.
    """

    def __init__(self, secret: str = "whsec_" + base64.b64encode(b"a secret of 24 bytes ....").decode()) -> None:
        self.secret = secret
        self.messages: dict[str, Any] = {}
        self.members: dict[str, set[str]] = {}
        self.erased: set[str] = set()
        super().__init__()

    def make_operations(self) -> list[Operation]:
        return [Operation("POST", "/hook", self._take, _MESSAGE)]

    def _take(self, asked: Asked) -> tuple[int, Any]:
        key = base64.b64decode(self.secret.removeprefix("whsec_"))
        message_id, at = asked.headers.get("webhook-id", ""), asked.headers.get("webhook-timestamp", "")
        signed = hmac.new(key, f"{message_id}.{at}.".encode() + asked.raw, hashlib.sha256).digest()
        if f"v1,{base64.b64encode(signed).decode()}" not in asked.headers.get("webhook-signature", "").split():
            self.violations.append("the signature is wrong")
            return self.error(401, "wrong signature")
        if message_id not in self.messages:
            self.messages[message_id] = asked.body
            self._apply(asked.body["type"], asked.body["data"])
        return 200, None

    def _apply(self, kind: str, data: dict[str, Any]) -> None:
        if kind == "profile.erased":
            self.erased.add(data["profile_id"])
            for members in self.members.values():
                members.discard(data["profile_id"])
            return
        members = self.members.setdefault(data["segment"], set())
        if kind == "segment.entered":
            members.add(data["profile_id"])
        else:
            members.discard(data["profile_id"])


class Customers(Vendor):
    """`PUT` and `DELETE /customers/{id}/purchase_history`.

    Attributes:
        histories: what was put, by customer.
    """

    def __init__(self) -> None:
        self.histories: dict[str, Any] = {}
        self._keys: dict[str, bytes] = {}
        super().__init__()

    def make_operations(self) -> list[Operation]:
        path = "/customers/{id}/purchase_history"
        schema = {"type": "object", "required": ["orders"], "properties": {"orders": {"type": "array"}}}
        return [Operation("PUT", path, self._put, schema), Operation("DELETE", path, self._delete)]

    def _put(self, asked: Asked) -> tuple[int, Any]:
        key = asked.headers.get("idempotency-key")
        if not key:
            self.violations.append("no Idempotency-Key")
            return self.error(400, "no Idempotency-Key")
        if self._keys.setdefault(key, asked.raw) != asked.raw:
            self.violations.append("an Idempotency-Key with another body")
            return self.error(422, "this key was used for another body")
        self.histories[asked.parts["id"]] = asked.body
        return 200, None

    def _delete(self, asked: Asked) -> tuple[int, Any]:
        if self.histories.pop(asked.parts["id"], None) is None:
            return self.error(404, "not found")
        return 204, None

"""A CRM's update of a customer -> an `identify`."""

from __future__ import annotations

import hashlib
import uuid
from typing import Any, Final

MOST_KEY_CHARACTERS: Final = 255


def update_event(
    user_id: str, traits: dict[str, Any], client: str, idempotency_key: str, received_at: str
) -> dict[str, Any]:
    """The event of one update.

    Its time is when it was received: of a retry, the job keeps the copy that came first.

    Args:
        user_id: the customer.
        traits: as the CRM sends them; null unsets.
        client: the name of the key that was used: two systems may use the same Idempotency-Key.
        idempotency_key: the same on each retry of one update; "" if there is none: then each request is an event.
        received_at: the present.
    """
    if idempotency_key:
        named = "\0".join((client, user_id, idempotency_key)).encode("utf-8", "surrogatepass")
        message_id = f"update-{hashlib.sha256(named).hexdigest()[:40]}"
    else:
        message_id = f"update-{uuid.uuid4()}"
    return {
        "type": "identify",
        "messageId": message_id,
        "userId": user_id,
        "traits": traits,
        "receivedAt": received_at,
    }

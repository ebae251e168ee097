"""Who said no: by an event, or by being erased. A destination's own answers come from the ledger.

| way of saying it | reason |
| --- | --- |
| `Unsubscribed`, `Email Unsubscribed`, or the trait `unsubscribed: true` | unsubscribed |
| `Email Marked as Spam` | complained |
| `Email Bounced`, unless it says that it was soft (`bounce_type`) | bounced |
| a `delete` event (its receipt in `deletions`) | erased |

It holds for the profile of the event, whatever its address is later, and for the address, whoever has it: that of the
event's own `email` property, and the profile's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from transforms.activation.people import hash_identifier

UNSUBSCRIBED, BOUNCED, COMPLAINED, ERASED = "unsubscribed", "bounced", "complained", "erased"

EVENTS: dict[str, str] = {
    "Unsubscribed": UNSUBSCRIBED,
    "Email Unsubscribed": UNSUBSCRIBED,
    "Email Marked as Spam": COMPLAINED,
    "Email Bounced": BOUNCED,
}
"""Track events by which somebody says no."""

SOFT_BOUNCES = {"soft", "softbounce", "transient", "temporary", "blocked", "block", "deferred", "delayed"}
_BOUNCE_TYPES = ("bounce_type", "bounceType", "type")


class SaidNo(NamedTuple):
    """An event of `EVENTS`. `email`: the profile's current address."""

    profile_id: str
    event: str
    properties: Mapping[str, Any]
    email: str | None


@dataclass(slots=True)
class Suppressed:
    """Reasons by profile, by hashed address, and the hashed user ids of the erased."""

    profiles: dict[str, str] = field(default_factory=dict)
    identifiers: dict[str, str] = field(default_factory=dict)
    erased_users: frozenset[str] = frozenset()

    def reason(self, profile_id: str, identifier_hash: str) -> str | None:
        """Why the profile must not be added under this identifier; None: it may."""
        if self.is_erased(profile_id):
            return ERASED
        return self.profiles.get(profile_id) or self.identifiers.get(identifier_hash)

    def is_erased(self, profile_id: str) -> bool:
        """Whether a `delete` event named this user."""
        kind, _, user_id = profile_id.partition(":")
        return kind == "user" and hashlib.sha256(user_id.encode()).hexdigest() in self.erased_users

    def with_answers(self, answers: Mapping[str, str]) -> Suppressed:
        """And those of whom a destination itself says so, by hashed identifier."""
        return Suppressed(self.profiles, {**self.identifiers, **answers}, self.erased_users)


def find_suppressed(
    events: Iterable[SaidNo], erased_users: Iterable[str], opted_out: Iterable[SaidNo] = ()
) -> Suppressed:
    """Everybody who said no.

    Args:
        events: events of `EVENTS`.
        erased_users: `id_hash` of every receipt in `deletions`.
        opted_out: profiles whose trait `unsubscribed` is true; their `event` counts for nothing.
    """
    found = Suppressed(erased_users=frozenset(erased_users))
    for said in events:
        reason = EVENTS[said.event]
        if reason == BOUNCED and _is_soft(said.properties):
            continue
        _note(found, said, reason)
    for said in opted_out:
        _note(found, said, UNSUBSCRIBED)
    return found


def _note(found: Suppressed, said: SaidNo, reason: str) -> None:
    found.profiles.setdefault(said.profile_id, reason)
    for email in (said.properties.get("email"), said.email):
        if isinstance(email, str) and email:
            found.identifiers.setdefault(hash_identifier(email), reason)


def _is_soft(properties: Mapping[str, Any]) -> bool:
    kinds = [properties[name] for name in _BOUNCE_TYPES if isinstance(properties.get(name), str)]
    return bool(kinds) and kinds[0].lower().replace("_", "").replace(" ", "").replace("-", "") in SOFT_BOUNCES

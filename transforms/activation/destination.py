"""A destination as its file describes it, and what each kind of destination needs to be told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

IdentifierName = Literal["email", "phone", "user_id", "profile_id"]
IDENTIFIERS: tuple[IdentifierName, ...] = ("email", "phone", "user_id", "profile_id")


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of destination.

    Attributes:
        required: settings that must be given; of a tuple one of them.
        optional: settings that may be given.
        identifier: what a destination knows people by; None: the setting `identifier` says it.
        sends_fields: whether a changed field alone is worth a request.
    """

    required: tuple[str | tuple[str, ...], ...]
    optional: tuple[str, ...]
    identifier: IdentifierName | None
    sends_fields: bool = True

    @property
    def settings(self) -> tuple[str, ...]:
        """Every setting that there is."""
        required = (name for names in self.required for name in ((names,) if isinstance(names, str) else names))
        return (*required, *self.optional)


KINDS: dict[str, Kind] = {
    "mailchimp": Kind((("server", "url"), "list", "api_key"), ("status_if_new", "automations", "connections"), "email"),
    "hubspot": Kind((("token", "access_token", "api_key"),), ("url", "requests_per_10_seconds", "opt_outs"), "email"),
    "webhook": Kind(("url", "secret"), ("allow_private", "requests_per_second"), "profile_id", sends_fields=False),
    "rest": Kind(
        ("url", "request"),
        ("leave", "erase", "headers", "collections", "identifier", "allow_private", "requests_per_second"),
        None,
    ),
    "redis": Kind(("url",), (), "profile_id"),
}


@dataclass(frozen=True, slots=True)
class Destination:
    """One file of the folder. `fields` are sources (see fields.py) by the destination's own names."""

    name: str
    kind: str
    settings: Mapping[str, Any]
    segments: tuple[str, ...]
    fields: Mapping[str, str] = field(default_factory=dict)
    consent: tuple[str, ...] = ()
    file: str = ""

    @property
    def identifier(self) -> IdentifierName:
        """What the destination knows people by."""
        chosen: IdentifierName = KINDS[self.kind].identifier or self.settings.get("identifier", "user_id")
        return chosen

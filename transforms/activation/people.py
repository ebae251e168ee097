"""People as a destination sees them: one identifier, fields, and whether they agreed to anything."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import orjson

from transforms.activation.destination import Destination, IdentifierName
from transforms.activation.fields import Profile, value_of


@dataclass(frozen=True)
class Person:
    """A profile, for one destination. `identifier` is None where it has none of that kind."""

    profile_id: str
    identifier: str | None
    last_seen_at: int
    fields: Mapping[str, Any]
    traits: Mapping[str, Any]

    @cached_property
    def identifier_hash(self) -> str:
        """SHA-256 of the identifier, "" without one."""
        return hash_identifier(self.identifier) if self.identifier is not None else ""

    @cached_property
    def fields_hash(self) -> str:
        """SHA-256 of the fields."""
        return hashlib.sha256(orjson.dumps(self.fields, option=orjson.OPT_SORT_KEYS)).hexdigest()


def hash_identifier(identifier: str) -> str:
    """How the ledger knows an identifier.

    >>> hash_identifier(" Ada@Shop.test ") == hash_identifier("ada@shop.test")
    True
    """
    text = identifier.strip()
    return hashlib.sha256((text.lower() if "@" in text else text).encode()).hexdigest()


def person_of(profile: Profile, destination: Destination, extra: Mapping[str, Any] | None = None) -> Person:
    """The profile as the destination sees it; `extra` are fields that do not stand in the profile."""
    fields = {name: value_of(profile, source) for name, source in destination.fields.items()}
    return Person(
        profile["profile_id"],
        identifier_of(profile, destination.identifier),
        profile["last_seen_at"] or 0,
        {**fields, **(extra or {})},
        profile["traits"],
    )


def identifier_of(profile: Profile, name: IdentifierName) -> str | None:
    """The profile's identifier of that kind."""
    value = profile[name]
    if not value:
        return None
    return value.strip().lower() if name == "email" else str(value)


def allows(traits: Mapping[str, Any], purposes: Iterable[str]) -> bool:
    """Whether the person agreed to every purpose: `consent.<purpose>` is true. Missing is no.

    >>> allows({"consent": {"marketing": True}}, ["marketing"]), allows({}, ["marketing"])
    (True, False)
    """
    return all(_agreed(traits, purpose) in (True, "true") for purpose in purposes)


def _agreed(traits: Mapping[str, Any], purpose: str) -> Any:
    if f"consent.{purpose}" in traits:
        return traits[f"consent.{purpose}"]
    inside = traits.get("consent")
    for part in [purpose] if isinstance(inside, dict) and purpose in inside else purpose.split("."):
        inside = inside.get(part) if isinstance(inside, dict) else None
    return inside


def owner(people: Iterable[Person]) -> Person:
    """Of profiles with one identifier the one whose fields are sent: last seen, then the smallest id."""
    return min(people, key=lambda person: (-person.last_seen_at, person.profile_id))

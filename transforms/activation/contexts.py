"""What a request is filled with beside a file's `fields`: for REST templates, and for entries of the cache."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from transforms.activation.destination import Destination
from transforms.activation.fields import Profile, instant_text, value_of
from transforms.activation.templates import names_in
from transforms.activation.wanted import Membership
from transforms.segments.values import trait_value

CONTEXT = "*"
"""The field that holds it."""

_REQUESTS = ("request", "leave", "erase")


def rest_context(
    destination: Destination, profile: Profile, histories: Mapping[str, Sequence[Mapping[str, Any]]]
) -> dict[str, Any]:
    """Values of every name that the templates use.

    Args:
        destination: its file.
        profile: the person.
        histories: their events by the event's name, in order.
    """
    names = {name for request in _REQUESTS for name in names_in(destination.settings.get(request) or {})}
    return {name: _value(destination, profile, histories, name) for name in sorted(names)}


def collections(destination: Destination) -> Mapping[str, Mapping[str, Any]]:
    """The setting `collections`: by name, an `event` and its `fields`."""
    found: Mapping[str, Mapping[str, Any]] = destination.settings.get("collections") or {}
    return found


def _value(
    destination: Destination, profile: Profile, histories: Mapping[str, Sequence[Mapping[str, Any]]], name: str
) -> Any:
    collection = collections(destination).get(name)
    if collection is not None:
        events = histories.get(str(collection.get("event")), ())
        return [_item(event, collection.get("fields") or {}) for event in events]
    if name == "identifier":
        return profile[destination.identifier]
    return value_of(profile, destination.fields.get(name, name))


def _item(event: Mapping[str, Any], fields: Mapping[str, str]) -> dict[str, Any]:
    return {name: _of_event(event, source) for name, source in fields.items()}


def _of_event(event: Mapping[str, Any], source: str) -> Any:
    if source == "timestamp":
        return instant_text(event["timestamp"])
    if source == "message_id":
        return event["message_id"]
    properties = event["properties"]
    return trait_value(orjson.loads(properties) if properties else {}, source.removeprefix("properties."))


def cache_context(memberships: Iterable[Membership], profile_id: str) -> dict[str, Any]:
    """An entry of the cache: segments with their instants, and what the profile is found by."""
    stays = sorted((one.segment, one.entered_at, one.expires_at) for one in memberships)
    return {"segments": stays, "identifiers": [profile_id]}

"""Values of a profile under the names that destination files use: `first_name`, `computed.NAME`, `traits.PATH` ..."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from schemas.tables import PROFILES
from transforms.segments.values import trait_value

Profile = Mapping[str, Any]
"""A row of `profiles` by column: instants in microseconds, `traits` and `computed` as objects."""

_TIMES = {column.name for column in PROFILES.columns if column.type == "TIMESTAMP"}
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
PREFIXES = ("computed", "traits", "segments")
SOURCES = tuple(name for name in PROFILES.column_names() if name not in {"traits", "computed"})


def problem_with(source: str) -> str:
    """What is wrong with a field's source, or ""."""
    head, dot, rest = source.partition(".")
    if head in PREFIXES and dot and rest:
        return ""
    return "" if source in SOURCES else f"unknown field '{source}'"


def value_of(profile: Profile, source: str) -> Any:
    """The value; None where the profile has none. Instants are ISO 8601 text, `segments.NAME` true or false."""
    head, dot, rest = source.partition(".")
    if dot and head == "computed":
        return profile["computed"].get(rest)
    if dot and head == "traits":
        return trait_value(profile["traits"], rest)
    if dot and head == "segments":
        return rest in profile["segments"]
    value = profile.get(source)
    return instant_text(value) if source in _TIMES and isinstance(value, int) else value


def instant_text(instant_us: int) -> str:
    """An instant as ISO 8601, UTC."""
    instant = _EPOCH + datetime.timedelta(microseconds=instant_us)
    return instant.isoformat(timespec="microseconds" if instant.microsecond else "seconds").replace("+00:00", "Z")

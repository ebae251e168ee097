"""What of a row must be said, given what was said before. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import NamedTuple

from transforms.pull.versions import Version


class Standing(IntEnum):
    """Of a version whose event was made: it may have been sent; it is safe; it is past (taken back, or overtaken)."""

    NOTED = 0
    SAFE = 1
    PAST = 2


class KnownVersion(NamedTuple):
    """A version whose event was made before."""

    version: Version
    standing: Standing


@dataclass(frozen=True, slots=True)
class News:
    """What follows from a row.

    Attributes:
        version: whose event is to be sent.
        past: the versions that it takes the place of.
        is_change: whether the row was known before.
    """

    version: Version
    past: tuple[Version, ...]
    is_change: bool


def news_of(version: Version, known: Sequence[KnownVersion]) -> News | None:
    """What a version of a row means; None: nothing new.

    A version that is known and safe, or older than one that is known, is no news. One that may not have been sent is
    sent again, under the same name. One that is past and stands again (a row that went back to what it was) gets a name
    of its own, since what was taken back stays so.
    """
    current = [one for one in known if one.standing is not Standing.PAST]
    past = {one.version.version for one in known if one.standing is Standing.PAST}
    if version.order is not None and any(
        one.version.order is not None and version.order < one.version.order for one in known
    ):
        return None
    name, times = version.version, 1
    while name in past:
        times += 1
        name = f"{version.version}~{times}"
    version = replace(version, version=name)
    same = next((one for one in current if one.version.version == name), None)
    if same is not None and same.standing is Standing.SAFE and len(current) == 1:
        return None
    others = tuple(one.version for one in current if one.version.version != name)
    return News(version, others, bool(others) or bool(past))

"""The keys and values of the cache, as docs/cache.md tells them. Pure.

| key | type | holds |
| --- | --- | --- |
| `tidemark:PROFILE:s` | hash | segment -> `entered_us:expires_us`, in microseconds; nothing after the colon: never |
| | | `_v`: the version; `_ids`: the identifiers that point here, each after a NUL |
| `tidemark:i:IDENTIFIER` | string | the profile that `user:ID` or `anon:ID` stands for now |
| `tidemark:ready` | string | the version of the last filling that came to its end |
| `tidemark:floor` | string | what is older than this version is not written |

A version is an instant, microseconds since the epoch, as 20 digits: Lua's numbers are doubles, texts of one width are
compared exactly.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

PREFIX = "tidemark:"
READY = PREFIX + "ready"
FLOOR = PREFIX + "floor"
VERSION = "_v"
IDENTIFIERS = "_ids"
TYPES = ("user:", "anon:", "account:")


@dataclass(frozen=True, slots=True)
class Membership:
    """A segment that a profile is in. Instants in microseconds, UTC; `expires_us` None: it ends by an event only."""

    segment: str
    entered_us: int
    expires_us: int | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """What the cache shall hold of a profile: all its segments, and every identifier that stands for it now."""

    profile_id: str
    memberships: tuple[Membership, ...] = ()
    identifiers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """The answer to a look-up.

    `profile_id` is None where no member has that identifier: then it is in no segment, or nobody's.
    """

    profile_id: str | None
    memberships: tuple[Membership, ...] = ()


def profile_key(profile_id: str) -> str:
    return f"{PREFIX}{profile_id}:s"


def identifier_key(identifier: str) -> str:
    return f"{PREFIX}i:{identifier}"


def version_text(at_us: int) -> str:
    """The version of what was true at an instant.

    >>> version_text(1_780_000_000_000_000)
    '00001780000000000000'
    """
    return f"{at_us:020d}"


def value_of(membership: Membership) -> str:
    """Its instants as one text.

    >>> value_of(Membership("buyers", 5, 9)), value_of(Membership("buyers", 5))
    ('5:9', '5:')
    """
    return f"{membership.entered_us}:{'' if membership.expires_us is None else membership.expires_us}"


def membership_of(segment: str, value: str) -> Membership:
    """What `value_of` was given.

    >>> membership_of("buyers", "5:")
    Membership(segment='buyers', entered_us=5, expires_us=None)
    """
    entered, _, expires = value.partition(":")
    return Membership(segment, int(entered), int(expires) if expires else None)


def members_at(fields: Mapping[str, str], now_us: int) -> tuple[Membership, ...]:
    """The segments of a hash that have not expired at an instant, by name."""
    found = (membership_of(name, value) for name, value in sorted(fields.items()) if not name.startswith("_"))
    return tuple(one for one in found if one.expires_us is None or one.expires_us > now_us)


def candidates(identifier: str) -> tuple[str, ...]:
    """The typed identifiers that a text may mean, the likeliest first.

    >>> candidates("u_1")
    ('user:u_1', 'anon:u_1')
    >>> candidates("anon:a")
    ('anon:a', 'user:anon:a', 'anon:anon:a')
    """
    untyped = (f"user:{identifier}", f"anon:{identifier}")
    return (identifier, *untyped) if identifier.startswith(TYPES) else untyped


def keep_until_ms(memberships: Iterable[Membership], now_us: int, margin_us: int) -> int | None:
    """When the whole entry may be forgotten, milliseconds: a margin after its last membership; None: never.

    What has expired already is kept for the margin, too: who reads can see that it has.
    """
    ends = [one.expires_us for one in memberships]
    if any(end is None for end in ends):
        return None
    return (max([now_us, *(end for end in ends if end is not None)]) + margin_us) // 1000

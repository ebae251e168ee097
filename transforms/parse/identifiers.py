"""Identifier values that never identify anyone: what trackers send when they do not know who it is."""

from __future__ import annotations

from typing import Final

# Values of nothing but zeros and dashes (a nil UUID, "0", "") are blocked whatever this set holds.
BLOCKED_IDENTIFIERS: Final = frozenset({"", "null", "undefined", "none", "anonymous", "-1"})


class BlockedIdentifiers:
    """Decides whether an identifier is blocked. Case and surrounding white space do not matter."""

    __slots__ = ("_longest", "_values")

    def __init__(self, values: frozenset[str] = BLOCKED_IDENTIFIERS) -> None:
        self._values = frozenset(value.strip().lower() for value in values)
        self._longest = max(map(len, self._values), default=0)

    def blocks(self, identifier: str) -> bool:
        stripped = identifier.strip()
        # Most identifiers are longer than any blocked word and start with another character: 0.1 us for those.
        if len(stripped) <= self._longest and stripped.lower() in self._values:
            return True
        return stripped[:1] in "0-" and not stripped.strip("0-")


def without_empty_ones(
    event_type: object, user_id: str | None, anonymous_id: str | None
) -> tuple[str | None, str | None]:
    """The two identifiers; one that is an empty text counts as absent beside one that is not, unless it is needed."""
    needs_user = event_type in ("alias", "delete")
    if user_id is not None and anonymous_id is not None:
        if not user_id.strip() and anonymous_id.strip() and not needs_user:
            return None, anonymous_id
        if not anonymous_id.strip() and user_id.strip():
            return user_id, None
    return user_id, anonymous_id

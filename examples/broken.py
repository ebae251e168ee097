"""What goes wrong with messages: every failure that an event brings upon itself, or that identity finds.

`merge_limit` is not among them: it takes a hundred merges into one profile.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

import orjson

Record = dict[str, Any]

_MORE_THAN_ALLOWED: Final = 512 * 1024
_INSTANTS: Final = ("timestamp", "originalTimestamp", "sentAt", "receivedAt")
_NOBODY: Final = ("null", "undefined", "anonymous", "00000000-0000-0000-0000-000000000000", "", "-1")

# Of 200 broken messages: how many of a kind. Dealt like cards, so that each kind comes once in 200.
_SHARES: Final = {
    "schema_violation": 57,
    "malformed_json": 30,
    "missing_identifier": 24,
    "blocked_identifier": 24,
    "conflicting_duplicate": 18,
    "timestamp_in_future": 16,
    "missing_timestamp": 14,
    "not_utf8": 10,
    "alias_cycle": 3,
    "alias_conflict": 3,
    "too_large": 1,
}
BROKEN_KINDS: Final = tuple(kind for kind, share in _SHARES.items() for _ in range(share))


def break_event(kind: str, message: bytes, chance: float) -> bytes:
    """The message, broken.

    Args:
        kind: one of BROKEN_KINDS, but an alias of its own.
        message: JSON text of a good event.
        chance: 0 to 1, decides between ways of breaking it.
    """
    if kind == "malformed_json":
        return message[: int(20 + chance * (len(message) - 40))]
    if kind == "not_utf8":
        middle = message.index(b'"timestamp"') if b'"timestamp"' in message else 1
        return message[:middle] + b'"note":"caf\xe9",' + message[middle:]
    record = orjson.loads(message)
    if kind == "schema_violation":
        _VIOLATIONS[int(chance * len(_VIOLATIONS))](record)
    else:
        _CHANGES[kind](record, chance)
    return orjson.dumps(record)


def _be_too_large(record: Record, _: float) -> None:
    record["properties"] = {**_properties(record), "image": "x" * _MORE_THAN_ALLOWED}


def _lose_identifiers(record: Record, _: float) -> None:
    record.pop("userId", None)
    record.pop("anonymousId", None)


def _name_nobody(record: Record, chance: float) -> None:
    record["userId" if "userId" in record else "anonymousId"] = _NOBODY[int(chance * len(_NOBODY))]


def _lose_instants(record: Record, _: float) -> None:
    for name in _INSTANTS:
        record.pop(name, None)


def _be_in_future(record: Record, chance: float) -> None:
    ahead = datetime.fromisoformat(record["receivedAt"]) + timedelta(days=2 + int(chance * 400))
    record["timestamp"] = ahead.isoformat()


def _say_something_else(record: Record, _: float) -> None:
    record["properties"] = {**_properties(record), "experiment": "b"}


def _properties(record: Record) -> Record:
    properties = record.get("properties")
    return properties if isinstance(properties, dict) else {}


_CHANGES: Final[dict[str, Callable[[Record, float], None]]] = {
    "too_large": _be_too_large,
    "missing_identifier": _lose_identifiers,
    "blocked_identifier": _name_nobody,
    "missing_timestamp": _lose_instants,
    "timestamp_in_future": _be_in_future,
    "conflicting_duplicate": _say_something_else,
}


def _lose_message_id(record: Record) -> None:
    del record["messageId"]


def _have_unknown_type(record: Record) -> None:
    record["type"] = "trakc"


def _have_unreadable_timestamp(record: Record) -> None:
    record["timestamp"] = "yesterday"


def _have_local_timestamp(record: Record) -> None:
    record["timestamp"] = record["receivedAt"].removesuffix("Z")


def _have_numeric_user(record: Record) -> None:
    record["userId"] = 4711


def _have_price_in_words(record: Record) -> None:
    """Two violations at once."""
    record["type"], record["event"] = "track", "Product Viewed"
    record["properties"] = {**_properties(record), "price": "89,90", "currency": "euro"}


def _have_a_list_of_properties(record: Record) -> None:
    record["properties"] = []


_VIOLATIONS: Final = (
    _have_price_in_words,
    _lose_message_id,
    _have_unknown_type,
    _have_unreadable_timestamp,
    _have_local_timestamp,
    _have_numeric_user,
    _have_a_list_of_properties,
)

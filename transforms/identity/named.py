"""Whom a record that failed names, and of when it is. Pure.

Erasure empties what names an erased user (`Erasures` below), an export gives a person what names them
(transforms/export/shares.py). A record that failed may be anything, so what it names is read as far as it goes:

| a record that is | names |
| --- | --- |
| a JSON object with a `userId` | that user, and its `previousId` |
| one without a `userId`, or whose identifier was blocked | the device of its `anonymousId`, and its `previousId` |
| no JSON object, but with such fields in it as text | what stands after them, by the same rule |
| none of these, or with something else than an id in such a field | every text in it, as a user and as a device |

Its time is that of an event (`timestamp`, else its arrival); one a day after its arrival is not believed. What is no
JSON object tells no time that could be believed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import orjson

from schemas.failure_reasons import BLOCKED_IDENTIFIER
from schemas.instants import DAY_US, EARLIEST_US, LATEST_US, parse_instant_us
from transforms.parse.events import receipt_time

MOST_TEXTS: Final = 100
"""Of a record that says nowhere whose it is, so many different texts count: there is no end to what is sent."""
_USER, _DEVICE, _PREVIOUS = "userId", "anonymousId", "previousId"
_IN_TEXT = re.compile(r'"(userId|anonymousId|previousId)"\s*:\s*(?:"((?:[^"\\]|\\.)*)"|(-?\d+))')
_PUNCTUATION = " \t\r\n,:{}[]"
_MILLISECONDS_FROM = 10**11
"""A bare number of that size counts milliseconds since the epoch, a smaller one seconds."""


class Named(NamedTuple):
    """Whom a record names.

    Attributes:
        users: ids of users.
        devices: anonymous ids.
        at: of when the record is, microseconds; None: it does not say.
        in_place: whether the ids stand where ids do, rather than anywhere in the record.
    """

    users: tuple[str, ...]
    devices: tuple[str, ...]
    at: int | None
    in_place: bool


def named_in(reason: str, raw: bytes) -> Named:
    """Whom the record of a failure names."""
    try:
        record = orjson.loads(raw.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError:
        return _named_in_text(raw, reason)
    if not isinstance(record, dict):
        return _anybody(_texts(record), None)
    at = _time(record)
    said = {field: record[field] for field in (_USER, _DEVICE, _PREVIOUS) if record.get(field) not in (None, "")}
    ids = {field: {_identifier(value)} - {None} for field, value in said.items()}
    if not ids or not all(ids.values()):
        return _anybody(_texts(record), at)
    return _named(ids, reason, at)


def _named(ids: Mapping[str, Iterable[str | None]], reason: str, at: int | None) -> Named:
    """By ids in their fields: a user id says whose a record is, so that its device does not."""
    users, devices, previous = (tuple(map(str, ids.get(field, ()))) for field in (_USER, _DEVICE, _PREVIOUS))
    if users and reason != BLOCKED_IDENTIFIER:
        devices = ()
    return Named((*users, *previous), (*devices, *previous), at, in_place=True)


def _anybody(texts: Iterable[str], at: int | None) -> Named:
    distinct: dict[str, None] = {}
    for text in texts:
        distinct[text] = None
        if len(distinct) == MOST_TEXTS:
            break
    return Named(tuple(distinct), tuple(distinct), at, in_place=False)


def _identifier(value: object) -> str | None:
    if isinstance(value, str):
        return value if value.strip() else None
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _texts(tree: Any) -> Iterator[str]:
    """Every text and whole number in a JSON value, but for names of fields; first things first."""
    waiting = [tree]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting += reversed(value.values())
        elif isinstance(value, list):
            waiting += reversed(value)
        elif (found := _identifier(value)) is not None:
            yield found


def _named_in_text(raw: bytes, reason: str) -> Named:
    """Whom bytes name that are no JSON: cut off, of another encoding, several records in one."""
    texts = {raw.decode(encoding, "replace").replace("\0", "") for encoding in ("utf-8", "latin-1")}
    ids: dict[str, set[str | None]] = {}
    for text in texts:
        for field, quoted, number in _IN_TEXT.findall(text):
            if value := number or _unescaped(quoted):
                ids.setdefault(field, set()).add(value)
    if ids:
        return _named({field: sorted(map(str, found)) for field, found in ids.items()}, reason, None)
    # What stands between two quotation marks is a text, or what stands between two texts.
    parts = (part for text in sorted(texts) for part in text.split('"'))
    return _anybody((part for part in parts if part.strip(_PUNCTUATION)), None)


def _unescaped(quoted: str) -> str:
    try:
        return str(orjson.loads(f'"{quoted}"'))
    except orjson.JSONDecodeError:
        return quoted


def _time(record: dict[str, Any]) -> int | None:
    received = _instant(record.get("receivedAt"))
    at = _instant(record.get("timestamp"))
    if at is None:
        try:
            return receipt_time(record, received)
        except ValueError:
            return received
    return received if received is not None and at - received > DAY_US else at


def _instant(value: object) -> int | None:
    try:
        if isinstance(value, str):
            return parse_instant_us(value)
    except ValueError:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < LATEST_US:
        return None
    instant = round(value * (1_000 if abs(value) >= _MILLISECONDS_FROM else 1_000_000))
    return instant if EARLIEST_US <= instant <= LATEST_US else None


def names_erased(
    named: Named,
    erased_by: Callable[[str, int], str | None],
    device_erased: Callable[[str, int | None], bool],
) -> bool:
    """Whether a record names somebody who is erased at its time; one that tells none, at any time.

    Args:
        named: whom it names.
        erased_by: the deletion that erases what is a user's at an instant (`IdentityPlan.erased_by`).
        device_erased: whether what a device did at an instant (None: at any) is erased (`Device.erases`).
    """
    at = EARLIEST_US if named.at is None else named.at
    return any(erased_by(user, at) is not None for user in named.users) or any(
        device_erased(device, named.at) for device in named.devices
    )

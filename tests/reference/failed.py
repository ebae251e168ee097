"""What erasure takes of records that failed: contract section 5, asked of every record for every erased id.

What the contract leaves open, decided here:

- A record is of the instant that an event of its text would be; one a day ahead of its arrival is of its arrival. What
  happened after the deletion stays. A record that tells no instant is erased with whomever it names, whenever.
- A user id says whose a record is; the device beside it then says nothing, as of an event. A device is whose an
  anonymous event of it would be at that instant; without an instant it is everybody's who was ever linked to it.
- A record without ids where ids belong, or with something else in their place, names whomever it has as a text.
- What is no JSON names what is written behind a name of an id field, or else what stands between quotation marks.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from schemas.event import Event, Failure
from tests.reference.identity import Pass

DAY_US = 86_400 * 1_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
IDS = ("userId", "anonymousId", "previousId")
PROBE = Event("", 0, "track", "", None, None, None, None, None, None, None, None)


def is_erased(failure: Failure, before: Pass, deletes: Sequence[Event]) -> bool:
    """Whether a failed record names somebody who is deleted, `before` being identity without a thought of that."""
    record = _json(failure.raw)
    at = _instant_of(record) if isinstance(record, dict) else None
    for delete in deletes:
        if at is not None and at > delete.timestamp:
            continue
        root = before.root(delete.user_id or "")
        people = {user for user in before.users | {delete.user_id, *before.parent} if before.root(user or "") == root}
        if any(_names(failure, record, str(user), "userId") for user in people):
            return True
        for device in {link[0] for link in before.links}:
            sent = PROBE._replace(anonymous_id=device, timestamp=at or 0)
            owners = {before.profile(sent)} if at is not None else _ever(before, device)
            if f"user:{root}" in owners and _names(failure, record, device, "anonymousId"):
                return True
    return False


def _ever(before: Pass, device: str) -> set[str]:
    return {f"user:{before.root(user)}" for _, user, _, _ in before.links_of(device)}


def _json(raw: bytes) -> Any:
    try:
        return json.loads(raw.decode("utf-8-sig"))
    except ValueError:
        return None


def _names(failure: Failure, record: Any, wanted: str, field: str) -> bool:
    """Whether the record has an id in the place of a field, or in that of `previousId`."""
    if record is None:
        return _text_names(failure, wanted, field)
    if isinstance(record, dict):
        ids = {name: record[name] for name in IDS if record.get(name) is not None and record[name] != ""}
        if ids and all(_is_id(one) for one in ids.values()):
            if field == "anonymousId" and "userId" in ids and failure.reason != "blocked_identifier":
                return "previousId" in ids and str(ids["previousId"]) == wanted
            return wanted in {str(ids[name]) for name in (field, "previousId") if name in ids}
    return wanted in set(_texts(record))


def _is_id(value: Any) -> bool:
    return type(value) is int or (isinstance(value, str) and bool(value.strip()))


def _texts(tree: Any) -> Iterator[str]:
    if isinstance(tree, dict):
        for value in tree.values():
            yield from _texts(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from _texts(value)
    elif _is_id(tree):
        yield str(tree)


def _text_names(failure: Failure, wanted: str, field: str) -> bool:
    text = failure.raw.decode("latin-1").replace("\0", "").replace(" ", "")
    fields = [name for name in IDS if f'"{name}":"' in text]
    closed = [name for name in fields if text.count('"', text.index(f'"{name}":"') + len(name) + 4)]
    if not closed:
        return f'"{wanted}"' in text
    if field == "anonymousId" and "userId" in closed and failure.reason != "blocked_identifier":
        return f'"previousId":"{wanted}"' in text
    return any(f'"{name}":"{wanted}"' in text for name in (field, "previousId"))


def _instant_of(record: dict[str, Any]) -> int | None:
    at, received = (_instant(record.get(name)) for name in ("timestamp", "receivedAt"))
    if at is None or received is None:
        return received if at is None else at
    return received if at - received > DAY_US else at


def _instant(value: Any) -> int | None:
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return None if moment.tzinfo is None else (moment - EPOCH) // timedelta(microseconds=1)

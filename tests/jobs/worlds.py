"""Small worlds as the job meets them: JSON lines, with users, devices, aliases, deletions, copies and broken records.

Many worlds with ids of their own go through one run. Rules are generated too, and written to files.
"""

from __future__ import annotations

import gzip
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from schemas.event import Event
from tests.reference.values import iso
from tests.strategies import rule_text, rules
from tests.strategies.choices import Choices
from tests.strategies.worlds import GRID_US, SPAN, START_US
from tests.strategies.worlds import event as shop_event
from transforms.segments.language import ast

USERS = ("u1", "u2", "u3")
DEVICES = ("a1", "a2")
UNKNOWN = "p1"
"""An id that occurs nowhere but in aliases and deletions."""
MOST_EVENTS = 14
MOODS = (
    ("as it is",) * 17 + ("alias",) * 2 + ("delete",),
    ("as it is",) * 5 + ("alias",) * 3,
    ("as it is",) * 5 + ("alias",) * 3 + ("delete",) * 2,
    ("as it is",) * 6 + ("delete",),
    ("as it is",) * 5 + ("alias",) * 2 + ("retract",) * 2,
    ("as it is",) * 5 + ("alias",) * 2 + ("delete", "retract", "retract"),
)
"""Of what kinds the events of a world are."""
NEW_NAMES = {"Product Viewed": "Thing Viewed", "Order Completed": "Deal Completed", "Product Added": "Thing Added"}
"""Generated properties are of any type: under these names no schema minds."""


@dataclass(frozen=True)
class Settings:
    """What a run is told beside its events and rules. `as_of` None: the latest event."""

    as_of: int | None
    stitch_window_us: int
    max_merges: int

    def options(self) -> list[str]:
        """The same on the command line."""
        told = [f"--stitch_window={rule_text.duration(self.stitch_window_us)}", f"--max_merges={self.max_merges}"]
        return told if self.as_of is None else [*told, f"--as_of={iso(self.as_of)}"]


def settings(choices: Choices) -> Settings:
    """Settings of a run."""
    as_of = START_US + choices.number(0, 2 * SPAN) * GRID_US if choices.chance(40) else None
    return Settings(as_of, choices.number(1, 12) * GRID_US, choices.pick((100, 1, 2)))


def world(choices: Choices, prefix: str, names: Mapping[str, str] = NEW_NAMES, most: int = MOST_EVENTS) -> list[bytes]:
    """The lines of one world, in no particular order; `names` of the shop's events are said otherwise."""
    lines: list[bytes] = []
    kinds = choices.pick(MOODS)
    for number in range(choices.number(3, most)):
        if lines and choices.chance(20):
            lines.append(_copy(choices.pick(lines), choices, prefix, kinds))
            continue
        kind, message_id = choices.pick(kinds), f"{prefix}-m{number:02}"
        if kind == "retract":
            lines.append(_retract(message_id, prefix, choices))
            continue
        event = _identified(shop_event(message_id, choices), prefix, kind, choices)
        lines.append(_line(event, choices, names))
    lines += [_broken(f"{prefix}-bad{number}", prefix, choices) for number in range(choices.pick((0, 0, 1, 2, 4)))]
    return lines


def _retract(message_id: str, prefix: str, choices: Choices) -> bytes:
    """Takes out an event of the world, before or after it, or one that is not there."""
    target = f"{prefix}-m{choices.number(0, MOST_EVENTS):02}"
    at = START_US + choices.number(-3, 2 * SPAN) * GRID_US
    retract = {"messageId": message_id, "type": "retract", "retracts": target, "timestamp": iso(at)}
    return orjson.dumps(retract | ({"userId": f"{prefix}-{choices.pick(USERS)}"} if choices.chance(20) else {}))


def _identified(event: Event, prefix: str, kind: str, choices: Choices) -> Event:
    """The event of a kind; a retract is something else (`_retract`), and here as it is."""
    user: str | None = f"{prefix}-{choices.pick(USERS)}"
    device: str | None = f"{prefix}-{choices.pick(DEVICES)}"
    nothing: dict[str, Any] = {"properties": None, "traits": None, "group_id": None, "name": ""}
    if kind == "alias":
        previous = f"{prefix}-{choices.pick((*USERS, *DEVICES, UNKNOWN))}"
        linked = device if choices.chance(15) else None
        return event._replace(type="alias", user_id=user, previous_id=previous, anonymous_id=linked, **nothing)
    if kind == "delete":
        whose = f"{prefix}-{choices.pick((*USERS, *USERS, UNKNOWN))}"
        held = device if choices.chance(15) else None
        return event._replace(type="delete", user_id=whose, anonymous_id=held, **nothing)
    present = choices.number(0, 9)
    group = None if event.group_id is None else f"{prefix}-{event.group_id}"
    sent_by = {"user_id": None if present >= 6 else user, "anonymous_id": None if present <= 2 else device}
    return event._replace(group_id=group, **sent_by)


def _line(event: Event, choices: Choices, names: Mapping[str, str]) -> bytes:
    """The event in wire format; some have no time but that of their arrival."""
    name = names.get(event.name, event.name)
    arrives = choices.chance(12)
    message = {
        "messageId": event.message_id,
        "type": event.type,
        "event" if event.type == "track" else "name": name or None,
        "userId": event.user_id,
        "anonymousId": event.anonymous_id,
        "previousId": event.previous_id,
        "groupId": event.group_id,
        "timestamp": None if arrives else iso(event.timestamp),
        "receivedAt": iso(event.timestamp + 1_000_000 * (not arrives)) if arrives or choices.chance(50) else None,
    }
    for field in ("properties", "traits", "context"):
        text = getattr(event, field)
        message[field] = None if text is None else orjson.loads(text)
    return orjson.dumps({field: value for field, value in message.items() if value is not None})


def _copy(line: bytes, choices: Choices, prefix: str, kinds: Sequence[str]) -> bytes:
    """The same again: to the byte, as a retry, in another order of fields, or with other content."""
    if not line.endswith(b"}"):
        return line
    message = orjson.loads(line)
    kind = choices.number(0, 5)
    if kind == 1:
        message["receivedAt"] = iso(START_US + choices.number(0, SPAN) * GRID_US)
    elif kind == 2:
        message["context"] = {"library": {"name": f"other {choices.number(0, 9)}"}}
    elif kind == 3:
        message = dict(sorted(message.items()))
    elif kind >= 4:
        if "retract" in kinds and choices.chance(20):
            return _retract(message["messageId"], prefix, choices)
        other = _identified(shop_event(message["messageId"], choices), prefix, choices.pick(kinds), choices)
        return _line(other, choices, {})
    return line if kind == 0 else orjson.dumps(message)


def _broken(message_id: str, prefix: str, choices: Choices) -> bytes:
    """A record that fails: torn, of another encoding, without an id or a time, with something else in their place."""
    user, device = f"{prefix}-{choices.pick(USERS)}", f"{prefix}-{choices.pick(DEVICES)}"
    at, ids = iso(START_US + choices.number(0, SPAN) * GRID_US), choices.number(0, 3)
    sent_by: dict[str, Any] = ({"userId": user}, {"anonymousId": device}, {"userId": user, "anonymousId": device}, {})[
        ids
    ]
    message: dict[str, Any] = {"messageId": message_id, "type": "track", "event": "Thing Viewed"}
    kind = choices.number(0, 9)
    if kind == 0:
        return orjson.dumps(message | sent_by | {"properties": {"name": user}})[: -choices.pick((2, 9, 40))]
    if kind == 1:
        return orjson.dumps(message | sent_by | {"name": "*"}).replace(b"*", b"\xe9")
    if kind == 2:
        message |= {"userId": "undefined", "anonymousId": device, "timestamp": at}
    elif kind == 3:
        message |= sent_by  # and no time
    elif kind == 4:
        message |= {"userId": 5, "timestamp": "soon"}
    elif kind == 5:
        return orjson.dumps(f"{message_id} {user}" if choices.chance(50) else user)
    elif kind == 6:
        message |= {"user_id": user, "timestamp": at} if choices.chance(50) else {"userId": [user], "timestamp": at}
    elif kind == 7:
        message |= {"type": "alias", "previousId": choices.pick((user, device)), "timestamp": at}
    elif kind == 8:
        message |= {**sent_by, "timestamp": iso(START_US + 30 * SPAN * GRID_US), "receivedAt": at}
    else:
        message |= {**sent_by, "type": "walk", "timestamp": at, "receivedAt": choices.pick((None, at))}
    return orjson.dumps(message)


def write_rules(folder: Path, choices: Choices, prefixes: list[str]) -> ast.Definitions:
    """Generated segments and computed traits as files. Static lists name the users of every world."""
    definitions = rules.with_accounts(choices, rules.definitions(choices))
    for name in ("segments", "traits"):
        (folder / name).mkdir()
    for trait in definitions.traits:
        _write(
            folder / "traits" / f"{trait.name}.yaml", {"value": _renamed(rule_text.scalar(trait.value)), "of": trait.of}
        )
    for segment in definitions.segments:
        _write(folder / "segments" / f"{segment.name}.yaml", _segment_fields(segment, prefixes))
    return definitions


def _segment_fields(segment: ast.SegmentDefinition, prefixes: list[str]) -> dict[str, Any]:
    fields: dict[str, Any] = {"of": segment.of}
    if segment.when is not None:
        fields["when"] = _renamed(rule_text.condition(segment.when))
    else:
        fields["members"] = sorted(f"{prefix}-{user}" for prefix in prefixes for user in segment.members or ())
    if segment.expires is not None:
        fields["expires"] = iso(segment.expires)
    for limit in ("max_membership", "reentry_after"):
        duration = getattr(segment, limit)
        if duration is not None:
            fields[limit] = rule_text.duration(duration)
    if not segment.anonymous:
        fields["anonymous"] = False
    return fields


def _renamed(text: str) -> str:
    for name, other in NEW_NAMES.items():
        text = text.replace(name, other)
    return text


def _write(file: Path, fields: dict[str, Any]) -> None:
    # JSON is YAML.
    file.write_bytes(orjson.dumps({"description": "A definition.", **fields}))


def spread(lines: list[bytes], folder: Path, shuffle: random.Random) -> None:
    """Writes lines into files: any number of them, plain or gzipped, with either line break."""
    folder.mkdir()
    files = [shuffle.choice((".ndjson", ".jsonl", ".json", ".ndjson.gz")) for _ in range(shuffle.randint(1, 5))]
    parts: list[list[bytes]] = [[] for _ in files]
    for line in lines:
        shuffle.choice(parts).append(line)
    for number, (suffix, part) in enumerate(zip(files, parts, strict=True)):
        line_break = shuffle.choice((b"\n", b"\n", b"\r\n"))
        content = line_break.join(part) + shuffle.choice((line_break, line_break * 2, b"")) * bool(part)
        (folder / f"{number}{suffix}").write_bytes(gzip.compress(content) if suffix.endswith(".gz") else content)

"""Events that a command makes, written so that the main job reads them: into a file, a spool, or a broker.

A file, and a file of a spool, are whole or not there; writing the same events again leaves the same bytes. A broker
gets them again, and the job drops them by their ids.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from pipelines.io.files.atomic import replace_file
from pipelines.io.targets.location import parse_target, shown_target
from pipelines.io.targets.target import EventTarget, OutgoingEvent, TargetError
from schemas.errors import UsageError

_SUFFIXES = (".ndjson", ".jsonl", ".json")


@dataclass(frozen=True, slots=True)
class EventFile:
    """One NDJSON file, replaced as a whole."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)


@dataclass(frozen=True, slots=True)
class Spool:
    """A folder in which files appear when they are complete."""

    folder: Path

    def __str__(self) -> str:
        return f"spool:{self.folder}"


@dataclass(frozen=True, slots=True)
class Broker:
    """A topic, queue or stream. `shown`: its address without a password."""

    target: EventTarget
    shown: str

    def __str__(self) -> str:
        return self.shown


EventPlace = EventFile | Spool | Broker


def parse_event_place(text: str) -> EventPlace:
    """Read an `--events` value.

    Raises:
        UsageError: it has none of the forms.
    """
    scheme, separator, rest = text.partition(":")
    if separator and scheme in ("spool", "files") and rest.strip():
        return Spool(Path(rest))
    if Path(text).suffix in _SUFFIXES and "://" not in text:
        return EventFile(Path(text))
    try:
        return Broker(parse_target(text), shown_target(text))
    except TargetError as error:
        raise UsageError(f"{error}; or an .ndjson file") from None


def write_events(place: EventPlace, name: str, events: Sequence[bytes]) -> None:
    """Write one JSON object per line, durably.

    A spool gets a file whose name follows from `name` and the content: what is there already is not written again, and
    nothing is, if there are no events.

    Raises:
        OSError: the place cannot be written.
        TargetError: the broker does not take them.
    """
    if isinstance(place, Broker):
        place.target.check()
        try:
            place.target.send([_outgoing(event) for event in events])
        finally:
            place.target.close()
        return
    content = b"".join(event + b"\n" for event in events)
    if isinstance(place, EventFile):
        _put(place.path, content)
        return
    digest = hashlib.sha256(content).hexdigest()[:16]
    target = place.folder / f"{name}-{digest}.ndjson"
    if events and not target.exists():
        _put(target, content)


def _outgoing(event: bytes) -> OutgoingEvent:
    record = orjson.loads(event)
    return OutgoingEvent(event, record.get("userId") or record.get("anonymousId") or "", record["messageId"])


def _put(target: Path, content: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    # The watcher of a spool does not look at names that begin with a point.
    new = target.with_name(f".{target.name}-{uuid.uuid4().hex}")
    try:
        new.write_bytes(content)
        replace_file(new, target)
    finally:
        new.unlink(missing_ok=True)

"""Events that a command makes, written so that the main job reads them: into a file, or into a spool.

Both are whole or not there. Writing the same events again leaves the same bytes.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.io.files.atomic import replace_file

_SUFFIXES = (".ndjson", ".jsonl", ".json")


class EventPlaceError(ValueError):
    """A place that events cannot be written to, and what was expected."""


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


EventPlace = EventFile | Spool


def parse_event_place(text: str) -> EventPlace:
    """Read an `--events` value.

    Raises:
        EventPlaceError: it has none of the forms.
    """
    scheme, separator, rest = text.partition(":")
    if separator and scheme == "spool" and rest:
        return Spool(Path(rest))
    if Path(text).suffix in _SUFFIXES and "://" not in text:
        return EventFile(Path(text))
    raise EventPlaceError(f"--events {text!r}: expected an .ndjson file or spool:DIR")


def write_events(place: EventPlace, name: str, events: Sequence[bytes]) -> None:
    """Write one JSON object per line, durably.

    A spool gets a file whose name follows from `name` and the content: what is there already is not written again, and
    nothing is, if there are no events.

    Raises:
        OSError: the place cannot be written.
    """
    content = b"".join(event + b"\n" for event in events)
    if isinstance(place, EventFile):
        _put(place.path, content)
        return
    digest = hashlib.sha256(content).hexdigest()[:16]
    target = place.folder / f"{name}-{digest}.ndjson"
    if events and not target.exists():
        _put(target, content)


def _put(target: Path, content: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    # The watcher of a spool does not look at names that begin with a point.
    new = target.with_name(f".{target.name}-{uuid.uuid4().hex}")
    try:
        new.write_bytes(content)
        replace_file(new, target)
    finally:
        new.unlink(missing_ok=True)

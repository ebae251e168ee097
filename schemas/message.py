"""A record as it came from a stream, before anything was read into it."""

from __future__ import annotations

from typing import NamedTuple


class Message(NamedTuple):
    """One record of an unbounded input.

    `raw` holds its bytes untouched. `source` is the `--input` location as it was given. `attributes` are the message's
    attributes (Pub/Sub) or headers (Kafka) as text; empty for files. `failure` says, as JSON, why the source itself
    could not read the record (a part of a damaged file); "" for all others. No sender can set it. `came_us` is when the
    record came in, microseconds since the epoch: when it was published where the source knows that; 0 for history.
    """

    raw: bytes
    source: str
    attributes: dict[str, str]
    failure: str = ""
    came_us: int = 0

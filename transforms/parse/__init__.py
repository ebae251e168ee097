"""Raw records in, events and failures out: JSON messages, Avro containers, Parquet files.

Comes before deduplication. Which field means what is in docs/events.md, what can be wrong in docs/failed_events.md.
Containers are read by `parse.avro` and `parse.parquet`: only who reads them needs the libraries that they import.
"""

from transforms.parse.bodies import split_body
from transforms.parse.content import canonical_content_hash
from transforms.parse.events import DEFAULT_MAX_EVENT_BYTES, EventParser
from transforms.parse.identifiers import BLOCKED_IDENTIFIERS

__all__ = [
    "BLOCKED_IDENTIFIERS",
    "DEFAULT_MAX_EVENT_BYTES",
    "EventParser",
    "canonical_content_hash",
    "split_body",
]

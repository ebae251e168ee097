"""Raw records in, events and failures out: JSON messages, Avro containers, Parquet files.

Comes before deduplication. Which field means what is in docs/events.md, what can be wrong in docs/failed_events.md.
"""

from transforms.parse.avro import read_avro
from transforms.parse.content import canonical_content_hash
from transforms.parse.events import DEFAULT_MAX_EVENT_BYTES, EventParser
from transforms.parse.identifiers import BLOCKED_IDENTIFIERS
from transforms.parse.parquet import parse_batch, read_parquet

__all__ = [
    "BLOCKED_IDENTIFIERS",
    "DEFAULT_MAX_EVENT_BYTES",
    "EventParser",
    "canonical_content_hash",
    "parse_batch",
    "read_avro",
    "read_parquet",
]

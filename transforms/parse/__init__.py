"""Raw records in, events and failures out: JSON messages, Avro containers, Parquet files.

Comes before deduplication. Which field means what is in docs/events.md, what can be wrong in docs/failed_events.md.
"""

from transforms.parse.avro import avro_messages
from transforms.parse.bodies import split_body
from transforms.parse.content import canonical_content_hash
from transforms.parse.events import DEFAULT_MAX_EVENT_BYTES, EventParser
from transforms.parse.identifiers import BLOCKED_IDENTIFIERS
from transforms.parse.parquet import batch_messages, parquet_messages

__all__ = [
    "BLOCKED_IDENTIFIERS",
    "DEFAULT_MAX_EVENT_BYTES",
    "EventParser",
    "avro_messages",
    "batch_messages",
    "canonical_content_hash",
    "parquet_messages",
    "split_body",
]

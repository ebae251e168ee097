"""The public face of these transforms, for a pipeline of your own: examples/in_your_pipeline.py uses it.

    messages | ParseEvents(parser, buckets)          PCollection[Message] -> .events, .failed
    parsed | BuildTables(definitions, buckets, parser=parser)    -> PCollection[TableBlock], every table
    tables | FlatMap(rows_of)                        TableBlock -> (table, {column: value})

What stands here keeps its name and meaning between releases; what does not is free to change.
"""

from collections.abc import Iterator
from typing import Any

from schemas.block import TableBlock
from schemas.message import Message
from schemas.tables import TABLES
from schemas.tracking_plan import load_tracking_plan
from transforms.build_tables import BuildTables
from transforms.parse.bucket import ParsedEvents, ParseEvents
from transforms.parse.events import EventParser
from transforms.records import bucket_count
from transforms.segments.language.definitions import load_definitions
from transforms.whole import parse_lines, tables_of

__all__ = [
    "BuildTables",
    "EventParser",
    "Message",
    "ParseEvents",
    "ParsedEvents",
    "TableBlock",
    "bucket_count",
    "load_definitions",
    "load_tracking_plan",
    "parse_lines",
    "rows_of",
    "tables_of",
]

_COLUMNS = {table.name: table.column_names() for table in TABLES}


def rows_of(block: TableBlock) -> Iterator[tuple[str, dict[str, Any]]]:
    """The rows of a block, each with its table's name: values by column, instants in microseconds, JSON as text."""
    columns = [column.to_pylist() if hasattr(column, "to_pylist") else column for column in block.columns]
    for values in zip(*columns, strict=True):
        yield block.table, dict(zip(_COLUMNS[block.table], values, strict=True))

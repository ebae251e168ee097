"""Made-up rows of every table, as blocks and as what a reader should get back."""

from __future__ import annotations

import datetime
from typing import Any

from schemas.block import TableBlock
from schemas.tables import TABLES, Column, Table

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
DAY_US = 86_400_000_000
NOON_US = 1_767_268_800_000_000  # 2026-01-01T12:00:00Z


def block_value(column: Column, number: int) -> Any:
    """The value of row `number`, as a producer puts it into a block; every third optional one is null."""
    if not column.required and not column.repeated and number % 3 == 0:
        return None
    if column.repeated:
        return [f"{column.name}-{number}-{index}" for index in range(number % 3)]
    values = {
        "STRING": f"{column.name}-{number:05}",
        "INTEGER": number,
        "FLOAT": number / 8,
        "BOOLEAN": number % 2 == 0,
        "TIMESTAMP": NOON_US + number * 1_000_001,
        "DATE": str(datetime.date(1980, 1, 1) + datetime.timedelta(days=number)),
        "JSON": f'{{"number":{number},"text":"é"}}',
        "BYTES": b"\xff\x00" + str(number).encode(),
    }
    return values[column.type]


def read_value(column: Column, number: int) -> Any:
    """The same value as a reader gets it."""
    value = block_value(column, number)
    if value is None:
        return None
    if column.type == "TIMESTAMP":
        return EPOCH + datetime.timedelta(microseconds=value)
    if column.type == "DATE":
        return datetime.date.fromisoformat(value)
    return value


def block(table: Table, numbers: list[int], order: int = 0) -> TableBlock:
    columns = tuple([block_value(column, number) for number in numbers] for column in table.columns)
    return TableBlock(table.name, order, columns)


def read_rows(table: Table, numbers: list[int]) -> list[tuple[Any, ...]]:
    return [tuple(read_value(column, number) for column in table.columns) for number in numbers]


def example_blocks(reverse: bool = False) -> list[TableBlock]:
    """Three blocks of every table, with the rows 0..11 in an order of their own."""
    parts = ([5, 1, 3, 0], [11, 7, 9, 6], [2, 4, 8, 10])
    blocks = [block(table, list(part), order) for table in TABLES for order, part in enumerate(parts)]
    return blocks[::-1] if reverse else blocks


def expected_rows(table: Table) -> list[tuple[Any, ...]]:
    """What `example_blocks` makes of a table: sorted by key; events in the order of their blocks."""
    in_blocks = [5, 1, 3, 0, 11, 7, 9, 6, 2, 4, 8, 10]
    return read_rows(table, in_blocks if table.name == "events" else sorted(in_blocks))

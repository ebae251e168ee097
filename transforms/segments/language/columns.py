"""The typed columns of a profile, as `profile('NAME')` reads them."""

from __future__ import annotations

from schemas.tables import TYPED_COLUMNS
from transforms.segments.language.kinds import Type

_TYPES = {
    "STRING": Type.TEXT,
    "INTEGER": Type.NUMBER,
    "FLOAT": Type.NUMBER,
    "TIMESTAMP": Type.INSTANT,
    "DATE": Type.INSTANT,
}
COLUMNS: dict[str, Type] = {
    column.name: Type.LIST if column.repeated else _TYPES[column.type] for column in TYPED_COLUMNS
}
"""What is known of each column, by its name."""

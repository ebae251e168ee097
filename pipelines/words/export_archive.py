"""A person's rows as a zip: the same rows, the same bytes."""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from collections.abc import Sequence
from typing import Any

import orjson

from pipelines.io.tables.personal import PersonalTable
from pipelines.words.export_page import export_page
from schemas.tables import Table

_AT = (1980, 1, 1, 0, 0, 0)
"""The time of every file in the zip, so that two exports of the same rows are equal."""


def archive(profile_id: str, recorded_at: str, tables: Sequence[PersonalTable]) -> bytes:
    """The zip's bytes.

    Args:
        profile_id: whom it is about.
        recorded_at: when their profile was written, ISO 8601.
        tables: their rows.
    """
    readable = [(one, [_readable(one.table, row) for row in one.rows]) for one in tables]
    files = {f"{one.table.name}.ndjson": b"".join(orjson.dumps(row) + b"\n" for row in rows) for one, rows in readable}
    files["index.html"] = export_page(profile_id, recorded_at, readable).encode()
    files["manifest.json"] = orjson.dumps(
        {
            "profile_id": profile_id,
            "recorded_at": recorded_at,
            "files": {
                name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
                | ({"rows": content.count(b"\n")} if name.endswith(".ndjson") else {})
                for name, content in sorted(files.items())
            },
        },
        option=orjson.OPT_INDENT_2,
    )
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in sorted(files.items()):
            entry = zipfile.ZipInfo(name, _AT)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o600 << 16
            made.writestr(entry, content)
    return whole.getvalue()


def _readable(table: Table, row: dict[str, Any]) -> dict[str, Any]:
    """JSON columns as JSON, bytes as text; bytes that are none in base64, under `<column>_base64`."""
    kinds = {column.name: column.type for column in table.columns}
    made: dict[str, Any] = {}
    for name, value in row.items():
        if value is None:
            made[name] = None
        elif kinds[name] == "JSON":
            made[name] = orjson.loads(value)
        elif kinds[name] == "BYTES":
            try:
                made[name] = value.decode()
            except UnicodeDecodeError:
                made[f"{name}_base64"] = base64.b64encode(value).decode()
        else:
            made[name] = value
    return made

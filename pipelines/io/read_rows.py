"""Rows of somebody's table: CSV, NDJSON, JSON or Parquet, from a file or over HTTP, or a table of a DuckDB database."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Final
from urllib.parse import urlsplit

import duckdb
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

FORMATS: Final = (".csv", ".tsv", ".ndjson", ".jsonl", ".json", ".parquet")
_TYPES: Final = {"text/csv": ".csv", "application/json": ".json", "application/x-ndjson": ".ndjson"}
_NUMBER: Final = re.compile(r"-?(?:0|[1-9]\d{0,14})(?:\.\d+)?", re.ASCII)
_TRUTH: Final = {"true": True, "false": False}
_SECONDS: Final = 60.0
_MOST_BYTES: Final = 1 << 30


class RowsError(RuntimeError):
    """A table that cannot be read. The text names the place, and no value."""


def read_rows(place: str, headers: Mapping[str, str] | None = None) -> tuple[list[str], list[dict[str, Any]]]:
    """The columns, and all rows. A CSV's numbers and truth values are read as such.

    Args:
        place: a path, an http(s) URL, or `duckdb:PATH#TABLE`.
        headers: of the request.

    Raises:
        RowsError: it cannot be read.
    """
    try:
        if place.startswith(("http://", "https://")):
            return _over_http(place, headers or {})
        if place.startswith("duckdb:"):
            return _from_database(place)
        return _from_bytes(Path(place).read_bytes(), Path(place).suffix.lower(), place)
    except OSError as error:
        raise RowsError(f"{place}: cannot be read: {error.strerror or type(error).__name__}") from error
    except (duckdb.Error, pa.ArrowException, UnicodeDecodeError, csv.Error, orjson.JSONDecodeError) as error:
        raise RowsError(f"{place}: is no such table as its name says") from error


def _over_http(url: str, headers: Mapping[str, str]) -> tuple[list[str], list[dict[str, Any]]]:
    import requests

    shown = urlsplit(url)._replace(query="", netloc=urlsplit(url).netloc.rpartition("@")[2]).geturl()
    try:
        answer = requests.get(url, headers=dict(headers), timeout=_SECONDS)
    except requests.RequestException as error:
        raise RowsError(f"{shown}: cannot be reached: {type(error).__name__}") from error
    if answer.status_code != 200:
        raise RowsError(f"{shown}: answered {answer.status_code}")
    if len(answer.content) > _MOST_BYTES:
        raise RowsError(f"{shown}: more than {_MOST_BYTES >> 20} MB")
    suffix = PurePosixPath(urlsplit(url).path).suffix.lower()
    kind = answer.headers.get("Content-Type", "").partition(";")[0].strip()
    return _from_bytes(answer.content, suffix if suffix in FORMATS else _TYPES.get(kind, suffix), shown)


def _from_bytes(content: bytes, suffix: str, shown: str) -> tuple[list[str], list[dict[str, Any]]]:
    if suffix == ".parquet":
        found: pa.Table = pq.read_table(io.BytesIO(content))
        return found.column_names, [_plain(row) for row in found.to_pylist()]
    if suffix not in FORMATS:
        raise RowsError(f"{shown}: expected {', '.join(FORMATS)}")
    text = content.decode("utf-8-sig")
    if suffix in (".csv", ".tsv"):
        return _from_csv(text, "\t" if suffix == ".tsv" else ",")
    whole = suffix == ".json" and text.lstrip().startswith("[")
    rows = orjson.loads(text) if whole else [orjson.loads(line) for line in text.splitlines() if line.strip()]
    if not all(isinstance(row, dict) for row in rows):
        raise RowsError(f"{shown}: expected JSON objects")
    return list(dict.fromkeys(name for row in rows for name in row)), [_plain(row) for row in rows]


def _from_csv(text: str, separator: str) -> tuple[list[str], list[dict[str, Any]]]:
    """A column is of numbers or of truth values if all of its values are: 01067 is a postal code, not 1067."""
    names, *rows = [*csv.reader(io.StringIO(text), delimiter=separator)] or [[]]
    columns = [_typed([row[place].strip() if place < len(row) else "" for row in rows]) for place in range(len(names))]
    return names, [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _typed(values: list[str]) -> list[Any]:
    given = [value for value in values if value]
    if given and all(_NUMBER.fullmatch(value) for value in given):
        return [(float(value) if "." in value else int(value)) if value else None for value in values]
    if given and all(value.lower() in _TRUTH for value in given):
        return [_TRUTH[value.lower()] if value else None for value in values]
    return [value or None for value in values]


def _from_database(place: str) -> tuple[list[str], list[dict[str, Any]]]:
    path, _, table = place.removeprefix("duckdb:").partition("#")
    if not Path(path).is_file():
        raise RowsError(f"{place}: there is no such file")
    with duckdb.connect(path, read_only=True) as connection:
        return _from_relation(connection.table(table))


def _from_relation(relation: duckdb.DuckDBPyRelation) -> tuple[list[str], list[dict[str, Any]]]:
    names = list(relation.columns)
    return names, [_plain(dict(zip(names, row, strict=True))) for row in relation.fetchall()]


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """Values as JSON has them: dates and decimals as text and numbers."""
    import datetime
    import decimal

    def plain(value: Any) -> Any:
        if isinstance(value, datetime.date | datetime.time):
            return value.isoformat()
        if isinstance(value, decimal.Decimal):
            return float(value)
        return value.strip() if isinstance(value, str) else value

    return {name: plain(value) for name, value in row.items()}

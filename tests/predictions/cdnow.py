"""The public CDNOW data, as the package lifetimes ships them. Tests only."""

import csv
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from transforms.predictions.orders import Floats, OrderEvent, Summary


def folder() -> Path:
    """Where the package has its data. It is not imported: it is no longer maintained."""
    found = find_spec("lifetimes")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent / "datasets"


def instant(text: str) -> int:
    return int(datetime.strptime(text, "%Y%m%d").replace(tzinfo=UTC).timestamp()) * 1_000_000


def columns(name: str, *wanted: str) -> list[Floats]:
    rows = list(csv.DictReader((folder() / name).read_text().splitlines()))
    return [np.array([float(row[column]) for row in rows]) for column in wanted]


def summary() -> Summary:
    frequency, recency, age = columns("cdnow_customers_summary.csv", "frequency", "recency", "T")
    return Summary(frequency, recency, age)


def orders() -> list[OrderEvent]:
    """The orders of a tenth of the customers, one and a half years."""
    lines = (folder() / "CDNOW_sample.txt").read_text().splitlines()
    rows = [line.split() for line in lines if line.strip()]
    return [
        OrderEvent(f"user:{row[1]}", instant(row[2]), f"m{place:05}", "order", f"o{place:05}", float(row[4]), "USD")
        for place, row in enumerate(rows)
    ]

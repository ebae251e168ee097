"""The examples of docs/events.md and docs/failed_events.md do what the pages say."""

from __future__ import annotations

import json
import re
from pathlib import Path

import duckdb
import orjson
import pytest

from schemas.event import Event, Failure
from schemas.tracking_plan import EVENT_TYPES, load_tracking_plan
from tests.parse.made_messages import PARSER, message, parse

ROOT = Path(__file__).parents[2]
JSON_BLOCKS = re.findall(r"```json\n(.*?)```", (ROOT / "docs" / "events.md").read_text(), re.DOTALL)


def test_the_example_events_are_accepted() -> None:
    lines = [JSON_BLOCKS[0].replace("\n", " "), *JSON_BLOCKS[1].splitlines()]
    events = [PARSER.parse(line.encode(), "docs") for line in lines]
    assert all(isinstance(event, Event) for event in events)
    assert {event.type for event in events if isinstance(event, Event)} == set(EVENT_TYPES) - {"screen"}


def test_the_example_schema_works(tmp_path: Path) -> None:
    schema = json.loads(JSON_BLOCKS[2])
    (tmp_path / "fitting_booked.json").write_text(JSON_BLOCKS[2])
    plan = load_tracking_plan(tmp_path)
    assert plan.properties_of(schema["title"]) == {"people": "number", "shop_id": "number|string"}


def test_the_example_repair_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failure = parse(message(properties={"price": "12.50"}))
    assert isinstance(failure, Failure)
    monkeypatch.chdir(tmp_path)
    with duckdb.connect("tidemark.duckdb") as connection:
        connection.execute("create table failed_events (reason varchar, errors varchar[], raw blob)")
        connection.execute("insert into failed_events values (?, ?, ?)", [failure.reason, failure.errors, failure.raw])
        for query in re.findall(r"```sql\n(.*?)```", page(), re.DOTALL)[0].split(";")[:2]:
            assert connection.execute(query).fetchall()[0][-1] == 1
    exec(re.findall(r"```python\n(.*?)```", page(), re.DOTALL)[0], {})  # noqa: S102 - the page's own script
    (line,) = Path("repaired.ndjson").read_bytes().splitlines()
    assert isinstance(PARSER.parse(line, "repaired"), Event)
    assert orjson.loads(line) == message(properties={"price": 12.5})


def page() -> str:
    return (ROOT / "docs" / "failed_events.md").read_text()

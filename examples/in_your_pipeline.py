"""Segments in a pipeline of your own: events from wherever you have them, members to wherever you want them.

python -m examples.in_your_pipeline
"""

import json
from pathlib import Path
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from transforms.face import (
    BuildTables,
    EventParser,
    Message,
    ParseEvents,
    load_definitions,
    load_tracking_plan,
    rows_of,
)

ROOT = Path(__file__).parent.parent
EVENTS = [
    {"type": "track", "event": "Order Completed", "userId": "ada", "properties": {"revenue": 120}},
    {"type": "track", "event": "Product Viewed", "anonymousId": "d1", "properties": {"product_id": "boots"}},
    {"type": "identify", "userId": "bo", "anonymousId": "d1", "traits": {"email": "bo@example.com"}},
]


def add_segments(events: beam.PCollection[bytes], segments: Path, traits: Path) -> beam.PCollection[tuple[str, str]]:
    """(segment, profile id) of every current member."""
    messages = events | beam.Map(lambda raw: Message(raw, "my events", {})).with_output_types(Message)
    parser, definitions = EventParser(load_tracking_plan()), load_definitions(segments, traits).definitions
    parsed = messages | ParseEvents(parser, buckets=4)
    tables = parsed | BuildTables(definitions, buckets=4, parser=parser)
    return tables | "Rows" >> beam.FlatMap(rows_of) | "Members" >> beam.FlatMap(_member)


def _member(row: tuple[str, dict[str, Any]]) -> list[tuple[str, str]]:
    table, values = row
    is_current = table == "memberships" and values["exited_at"] is None
    return [(values["segment"], values["profile_id"])] if is_current else []


def main(arguments: list[str] | None = None) -> None:
    """Runs it on three events and prints every member."""
    lines = [{"messageId": f"m{n}", "timestamp": f"2026-05-01T10:0{n}:00Z", **event} for n, event in enumerate(EVENTS)]
    runner = "apache_beam.runners.portability.fn_api_runner.FnApiRunner"
    with beam.Pipeline(options=PipelineOptions(arguments or [f"--runner={runner}"])) as pipeline:
        events = pipeline | beam.Create([json.dumps(line).encode() for line in lines])
        _ = add_segments(events, ROOT / "segments", ROOT / "traits") | "Show" >> beam.Map(print)


if __name__ == "__main__":
    main()

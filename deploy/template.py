"""`python -m deploy.template` writes deploy/metadata.json, what Dataflow asks for, from the options of the job itself.

An option that is neither in `PARAMETERS` nor in `LEFT_OUT` fails a test, so that no parameter is forgotten.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

from pipelines.options.profiles import profiles_argument_parser

METADATA = Path(__file__).with_name("metadata.json")
_DURATION = r"^\d+ (second|minute|hour|day|week)s?$"


class Parameter(NamedTuple):
    """How an option looks in the console. `regex`: what it must match; `example`: a value of it, for the test."""

    label: str
    example: str
    regex: str = ""
    kind: str = "TEXT"


PARAMETERS = {
    "input": Parameter("Input", "pubsub:projects/P/subscriptions/S", r"^(pubsub|kafka|bigquery|gs|amqps?|kinesis):.+$"),
    "segments": Parameter("Segments", "/template/segments"),
    "traits": Parameter("Computed traits", "/template/traits"),
    "schemas": Parameter("Schemas", "/template/schemas"),
    "output": Parameter("Output", "bigquery:PROJECT.DATASET", r"^(bigquery:.+|files:gs://.+)$"),
    "staging": Parameter("Staging", "gs://BUCKET/staging", r"^gs://.+$"),
    "create_tables": Parameter("Create tables", "true"),
    "as_of": Parameter("As of", "2026-07-01T00:00:00Z"),
    "unplanned": Parameter("Unplanned events", "accept"),
    "violations": Parameter("Violations", "fail"),
    "epoch": Parameter("Epoch", "milliseconds"),
    "cache": Parameter("Cache", "redis://HOST:6379/0", r"^rediss?://.+$"),
    "blocked_identifiers": Parameter("Blocked identifiers", "null,undefined,none"),
    "max_event_bytes": Parameter("Largest event", "1000000", r"^\d+$", "NUMBER"),
    "stitch_window": Parameter("Stitch window", "30 days", _DURATION),
    "max_merges": Parameter("Most merges", "100", r"^\d+$", "NUMBER"),
    "allowed_lateness": Parameter("Allowed lateness", "30 days", _DURATION),
    "out_of_orderness": Parameter("Out of orderness", "5 seconds", _DURATION),
    "idle_timeout": Parameter("Idle timeout", "30 seconds", _DURATION),
    "refresh": Parameter("Refresh", "1 minute", _DURATION),
    "kafka_settings": Parameter("Kafka settings", "security.protocol=SASL_SSL"),
    "kafka_readers": Parameter("Kafka readers", "0", r"^\d+$", "NUMBER"),
    "history": Parameter("History", "archive"),
    "shelves": Parameter("Shelves", "64", r"^\d+$", "NUMBER"),
}

LEFT_OUT = {
    "help": "the console has its own",
    "verbose": "Dataflow has the log",
    "log_format": "Dataflow has the log, by severity",
    "metrics_port": "Dataflow has the counters (docs/metrics.md)",
    "metrics_file": "the same",
    "write_every": "of a local output only",
    "journal": "of a local output only: Dataflow keeps state",
}
"""Options that are no parameter, each with the reason."""


def metadata() -> dict[str, Any]:
    """The Flex Template's metadata, as the gcloud tool takes it."""
    actions = {action.dest: action for action in profiles_argument_parser()._actions}
    return {
        "name": "Tidemark: profiles and segments",
        "description": "Unified customer profiles and exact segments from Segment events, in batch or as a stream.",
        "streaming": True,
        "supportsAtLeastOnce": False,
        "supportsExactlyOnce": True,
        "defaultStreamingMode": "EXACTLY_ONCE",
        "parameters": [_parameter(actions[name], shown) for name, shown in PARAMETERS.items()],
    }


def _parameter(action: argparse.Action, shown: Parameter) -> dict[str, Any]:
    defaults = {"default": action.default, "prog": "", "metavar": action.metavar}
    made: dict[str, Any] = {
        "name": action.dest,
        "label": shown.label,
        "helpText": f"{(action.help or '') % defaults}. Example: {shown.example}",
        "paramType": "ENUM" if action.choices else shown.kind,
    }
    if not action.required:
        made["isOptional"] = True
    if action.choices:
        made["enumOptions"] = [{"value": str(choice), "label": str(choice)} for choice in action.choices]
    if shown.regex:
        made["regexes"] = [shown.regex]
    return made


def main() -> int:
    """Writes the file."""
    METADATA.write_text(json.dumps(metadata(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"Written: {METADATA}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

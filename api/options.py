"""The command line of `python -m api`, checked before anything starts."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from api.build import ApiOptions
from api.keys import load_keys
from api.places import EventsError, open_place
from pipelines.io.cache.location import CacheError, parse_cache
from pipelines.io.outputs import parse_output
from pipelines.words.log import add_log_argument
from schemas.errors import DefinitionErrors, OutputError, UsageError
from transforms.webhooks.definition import WebhookDefinition
from transforms.webhooks.files import load_webhooks

DEFAULT_LISTEN = "127.0.0.1:8080"
_MOST_WORKERS = 64


def argument_parser() -> argparse.ArgumentParser:
    """The options, for people."""
    parser = argparse.ArgumentParser(
        prog="python -m api",
        description="Take events in over HTTP (Segment's and RudderStack's clients, webhooks, CRM updates), keep them "
        "safe, and tell who is in which segment.",
        epilog="Make a key first: python -m api.keys --file keys.yaml --name shop --may collect. All requests: "
        "docs/collect.md, and /docs while it runs. Exit status: 0 stopped, 1 failed, 2 the arguments are wrong.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--listen", default=DEFAULT_LISTEN, metavar="HOST:PORT", help=f"default: {DEFAULT_LISTEN}, this machine only"
    )
    parser.add_argument(
        "--events",
        required=True,
        metavar="LOCATION",
        help="where events go: spool:DIR (a job reads it as watch:DIR), kafka:HOST:PORT/TOPIC, "
        "pubsub:projects/P/topics/T, amqp://USER:PASSWORD@HOST:PORT/VHOST?queue=NAME, kinesis:REGION/STREAM",
    )
    parser.add_argument("--keys", required=True, metavar="FILE", help="keys.yaml: who may do what")
    parser.add_argument("--tables", metavar="LOCATION", help="a job's output (duckdb:PATH, files:DIR), for look-ups")
    parser.add_argument("--cache", metavar="URL", help="redis://HOST:PORT/DB that the job fills, for quick look-ups")
    parser.add_argument("--webhooks", metavar="DIR", help="folder of webhook definitions (docs/webhooks.md)")
    parser.add_argument(
        "--analytics_js", metavar="DIR", help="folder dist/umd of @segment/analytics-next, served to the snippet"
    )
    parser.add_argument("--workers", default="1", metavar="N", help="processes that share the port (default: 1)")
    add_log_argument(parser)
    return parser


def parse_options(arguments: Sequence[str]) -> ApiOptions:
    """Reads and checks the command line: everything that is wrong, at once.

    Raises:
        UsageError: what is wrong, and what was expected.
    """
    given = argument_parser().parse_args(arguments)
    problems: list[str] = []
    host, port = _listen(given.listen, problems)
    workers = int(given.workers) if re.fullmatch(r"\d{1,3}", given.workers) else 0
    if not 1 <= workers <= _MOST_WORKERS:
        problems.append(f"--workers {given.workers}: expected a number from 1 to {_MOST_WORKERS}")
    try:
        writer, _ = open_place(given.events)
        writer.open()
        writer.close()
    except EventsError as error:
        problems.append(str(error))
    except OSError as error:
        problems.append(f"--events {given.events}: {error.strerror}")
    keys = None
    try:
        keys = load_keys(Path(given.keys))
    except DefinitionErrors as errors:
        problems.append(str(errors))
    webhooks: dict[str, WebhookDefinition] = {}
    if given.webhooks:
        try:
            webhooks, warnings = load_webhooks(Path(given.webhooks), os.environ)
            print("".join(f"{warning}\n" for warning in warnings), end="", file=sys.stderr)
        except DefinitionErrors as errors:
            problems.append(str(errors))
    tables, cache = None, None
    try:
        tables = parse_output(given.tables) if given.tables else None
    except OutputError as error:
        problems.append(f"--tables: {error}")
    try:
        cache = parse_cache(given.cache) if given.cache else None
    except CacheError as error:
        problems.append(str(error))
    folder = Path(given.analytics_js) if given.analytics_js else None
    if folder is not None and not (folder / "standalone.js").is_file():
        problems.append(f"--analytics_js {folder}: there is no standalone.js in it")
    if problems or keys is None:
        raise UsageError("\n".join(problems))
    return ApiOptions(host, port, given.events, keys, folder, workers, webhooks, tables, cache, given.log_format)


def _listen(text: str, problems: list[str]) -> tuple[str, int]:
    host, separator, port = text.rpartition(":")
    if not separator or not host or not re.fullmatch(r"\d{1,5}", port) or int(port) > 65535:
        problems.append(f"--listen {text}: expected HOST:PORT, such as {DEFAULT_LISTEN}; port 0 is any free one")
        return "", 0
    return host.strip("[]"), int(port)

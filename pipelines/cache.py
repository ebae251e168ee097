"""`python -m pipelines.cache`: fills the cache from a job's tables. For one that was lost, and after a batch job."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence

from pipelines.io.cache.location import CacheError, CacheLocation, parse_cache
from pipelines.io.outputs import Output, parse_output
from schemas.errors import OutputError

_PAUSES_SECONDS = (1.0, 2.0, 4.0, 8.0, 15.0)


def argument_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.cache",
        description="Fill the cache of who is in which segment from the tables of a job.",
        epilog="Exit status: 0 done, 1 the cache or the tables cannot be reached, 2 wrong arguments.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--input",
        required=True,
        metavar="LOCATION",
        help="the tables: duckdb:PATH, files:DIR or bigquery:PROJECT.DATASET",
    )
    parser.add_argument("--cache", required=True, metavar="LOCATION", help="redis://HOST:PORT/DB (docs/cache.md)")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    try:
        known = argument_parser().parse_args(sys.argv[1:] if arguments is None else arguments)
    except SystemExit as end:  # argparse has said what is wrong, or what was asked for
        return int(end.code or 0)
    try:
        location, tables = parse_cache(known.cache), parse_output(known.input)
    except (CacheError, OutputError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0 if keep_in_cache(location, tables) else 1


def keep_in_cache(location: CacheLocation, output: Output, sleep: Callable[[float], object] = time.sleep) -> bool:
    """Fills the cache, trying again for half a minute while it is away; tells how it went. Whether it is right now."""
    from pipelines.io.bigquery.errors import BigQueryError
    from pipelines.io.cache.fill import AwayError, fill_cache

    for pause in (*_PAUSES_SECONDS, None):
        try:
            members = fill_cache(location, output, time.time_ns() // 1_000)
        except AwayError as error:
            away = f"{location}: {error}"
            if pause is None:
                break
            print(f"{away}; again in {pause:g} s", file=sys.stderr)
            sleep(pause)
        except (OutputError, BigQueryError) as error:
            print(error, file=sys.stderr)
            return False
        else:
            print(f"Cache   {location}: {members:,} profiles that are in a segment")
            return True
    print(
        f"{away}. The tables are written, the cache is not filled; when it is back:\n"
        f"    python -m pipelines.cache --input {output} --cache {location}",
        file=sys.stderr,
    )
    return False


if __name__ == "__main__":
    sys.exit(main())

"""Fills the cache from a job's tables: after a batch job, and when a cache was lost."""

from __future__ import annotations

import redis

from pipelines.io.cache.location import CacheLocation
from pipelines.io.cache.tables import CacheTables
from pipelines.io.cache.writer import CacheWriter, LostError, connect
from pipelines.io.outputs import Output
from pipelines.io.tables.query import open_tables
from schemas.tables import IDENTITY_LINKS, MEMBERSHIPS, PROFILES


class AwayError(Exception):
    """The cache cannot be written to now."""


def fill_cache(location: CacheLocation, output: Output, at_us: int) -> int:
    """Makes the cache hold what the tables say, but for what was written to it since; returns how many members.

    Args:
        location: the cache.
        output: where the tables are.
        at_us: an instant before the tables are read, microseconds since the epoch: what is newer than that stands.

    Raises:
        AwayError: it cannot be written to; filling it again is right.
        OutputError: there are no tables.
    """
    try:
        with connect(location) as client:
            return fill_with(CacheWriter(client), output, at_us)
    except (redis.RedisError, LostError) as error:
        raise AwayError(type(error).__name__) from error


def fill_with(writer: CacheWriter, output: Output, at_us: int) -> int:
    """As `fill_cache`, with a writer that is there already."""
    with open_tables(output, (PROFILES, MEMBERSHIPS, IDENTITY_LINKS)) as connection:
        return writer.fill(CacheTables(connection).members(), at_us)

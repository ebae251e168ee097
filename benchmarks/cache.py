"""Look-ups in the cache: how long they take at 1,000 a second. `python -m benchmarks.cache [--profiles N] [--rate N]`.

Starts a Redis of its own on loopback and fills it with made-up members. Look-ups begin at their instants, whether those
before have been answered or not, and are measured from that instant: a server that falls behind cannot hide it.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from pipelines.io.cache.layout import Entry, Membership
from pipelines.io.cache.location import CacheLocation, parse_cache
from pipelines.io.cache.reader import AsyncCacheReader
from pipelines.io.cache.writer import CacheWriter, connect
from services.manager import Manager

WARM_UP_SECONDS = 2.0


def members(profiles: int, now_us: int) -> Iterator[Entry]:
    """Profiles in two segments each, with a device."""
    hour_us = 3_600_000_000
    for number in range(profiles):
        user = f"user:u_{number:07d}"
        stays = (
            Membership("recent_buyers", now_us - hour_us, now_us + hour_us),
            Membership("always", now_us - hour_us),
        )
        yield Entry(user, stays, (user, f"anon:{number:032x}"))


async def look_up(location: CacheLocation, profiles: int, rate: int, seconds: float) -> list[float]:
    """Milliseconds of each look-up, half of them by a user's id, half by a device's."""
    reader, chosen = AsyncCacheReader(location), random.Random(1)
    took: list[float] = []

    async def one(begins: float, identifier: str) -> None:
        found = await reader.segments_of(identifier, time.time_ns() // 1_000)
        assert found is not None
        assert len(found.memberships) == 2
        took.append((time.perf_counter() - begins) * 1_000)

    started, waiting = time.perf_counter(), set()
    for number in range(round(rate * (seconds + WARM_UP_SECONDS))):
        begins = started + number / rate
        await asyncio.sleep(max(0.0, begins - time.perf_counter()))
        who = chosen.randrange(profiles)
        task = asyncio.create_task(one(begins, f"u_{who:07d}" if number % 2 else f"anon:{who:032x}"))
        waiting.add(task)
        task.add_done_callback(waiting.discard)
    await asyncio.gather(*waiting)
    await reader.close()
    return sorted(took[round(rate * WARM_UP_SECONDS) :])


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description="Look-ups in the cache.")
    parser.add_argument("--profiles", type=int, default=100_000)
    parser.add_argument("--rate", type=int, default=1_000)
    parser.add_argument("--seconds", type=float, default=10.0)
    known = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        manager = Manager(state=Path(folder))
        location = parse_cache(manager.up("redis").environment["TIDEMARK_REDIS"])
        try:
            now_us = time.time_ns() // 1_000
            with connect(location) as client:
                started = time.perf_counter()
                CacheWriter(client).fill(members(known.profiles, now_us), now_us)
                seconds = time.perf_counter() - started
                used = client.info("memory")["used_memory"]
            took = asyncio.run(look_up(location, known.profiles, known.rate, known.seconds))
        finally:
            manager.down("redis")
    print(f"filled     {known.profiles:,} profiles in {seconds:.1f} s, {known.profiles / seconds:,.0f} a second")
    print(f"memory     {used / known.profiles:,.0f} bytes a profile with two segments and two identifiers")
    print(f"look-ups   {len(took):,} at {known.rate:,} a second")
    quantiles = {"median": 0.5, "p99": 0.99, "p99.9": 0.999}
    for name, share in quantiles.items():
        print(f"  {name:8} {took[min(len(took) - 1, int(share * len(took)))]:.2f} ms")
    print(f"  mean     {statistics.mean(took):.2f} ms")


if __name__ == "__main__":
    main()

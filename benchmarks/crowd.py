"""A stream that holds many profiles: those of `benchmarks.growth` which would take too long event by event.

What a cell comes to does not depend on how many facts it is told at once (docs/streaming.md, "The boot"), so the cells
are made by the functions of the boot and written into the logs of their shelves, as the commits of a stream would be.
The stream then takes the shelves over from their logs like any worker that is new.
"""

from __future__ import annotations

import ctypes
import gc
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import chain

import psutil

from benchmarks.in_memory import InMemoryStream
from benchmarks.measure import MEGABYTE
from transforms.records import Record
from transforms.state.first_cells import CellChunk, PackedCell
from transforms.stream.bulk import BulkStages, Part, Said, Spoken, say_read
from transforms.stream.stages import MESSAGES, ORDER

VISITORS_AT_ONCE = 5_000


def fill(stream: InMemoryStream, records: Iterable[list[Record]], until_us: int | None) -> None:
    """Gives the shelves what has come of records.

    Args:
        stream: it has taken in nothing yet.
        records: in heaps; whatever concerns one cell is in one of them.
        until_us: up to where time has passed; message ids that are forgotten by then are left out. None: it has not.
    """
    settings = stream.settings
    stages = BulkStages(settings, until_us)
    for heap in records:
        waiting: dict[str, list[Said]] = defaultdict(list)
        spoken = Spoken(1, partial(_wait, waiting))
        say_read(heap, (), settings.allowed_lateness_us, spoken)
        for stage in ORDER:
            spoken.close()
            stream.commit(stage, _lasting(stage, stages.run(stage, waiting.pop(stage, []), spoken), until_us))


def _wait(waiting: dict[str, list[Said]], part: Part, said: list[Said]) -> None:
    waiting[part.stage] += said


def _lasting(stage: str, made: Iterator[PackedCell | CellChunk], until_us: int | None) -> Iterator[PackedCell]:
    cells = chain.from_iterable(one.cells() if isinstance(one, CellChunk) else (one,) for one in made)
    for cell in cells:
        if stage != MESSAGES or until_us is None or cell[1] is None or cell[1] > until_us:
            yield cell


def resident_mb() -> float:
    """Of this process, without what waits for the cycle collector or lies with the allocator."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return float(psutil.Process().memory_info().rss / MEGABYTE)


class Stopwatch:
    """Seconds of a core, of one call after the other."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def __enter__(self) -> None:
        self._started = time.process_time()

    def __exit__(self, *_: object) -> None:
        self.seconds.append(time.process_time() - self._started)

    def milliseconds(self, share: float) -> float:
        """So many of the calls took no longer."""
        return 1_000 * sorted(self.seconds)[min(len(self.seconds) - 1, int(share * len(self.seconds)))]

"""Up to where time has passed when a history was taken in: what the live inputs say of it by then. Without Beam."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pipelines.io.journal.history_first import BEFORE_ALL_US, Boot
from pipelines.io.locations import InputLocation, KafkaInput, WatchInput
from pipelines.io.stream.read_sources import make_source
from pipelines.io.stream.source import Reader, StreamSource
from pipelines.io.stream.source_options import SourceOptions
from pipelines.io.stream.watermark import StreamWatermark

_READS = 10
"""Looks at an input, at most: a broker answers some questions only at the next one."""


def passed_us(boot: Boot, inputs: Sequence[InputLocation], options: SourceOptions) -> int | None:
    """The instant, microseconds since the epoch; None: nobody can tell.

    For each live input that is where its watermark was in an earlier run, or where it will be after the first read, if
    that is later. One that has nothing to read is not waited for. What is read here is read again.
    """
    live = [location for location in inputs if not location.bounded]
    found = [max(boot.over_at_us([location.text]), _says_us(location, options)) for location in live]
    least = min(found, default=BEFORE_ALL_US)
    return least if least > BEFORE_ALL_US else None


def _says_us(location: InputLocation, options: SourceOptions) -> int:
    """What an input says; only of files and topics that can be read without taking anything from anybody."""
    if not isinstance(location, KafkaInput | WatchInput):
        return BEFORE_ALL_US
    source = make_source(location, options)
    if source is None:
        return BEFORE_ALL_US
    readers = source.count_readers()
    return min(_reader_says_us(source, Reader(number, readers), options) for number in range(readers))


def _reader_says_us(source: StreamSource, reader: Reader, options: SourceOptions) -> int:
    watermark = StreamWatermark(replace(options.watermark_policy, idle_timeout_us=0))
    progress = source.start(reader)
    for _ in range(_READS):
        progress = progress.move_to(source.read(reader, progress, watermark).positions)
        us = watermark.current_us()
        if us is not None:
            return us
    return BEFORE_ALL_US

"""Reads a Kinesis stream, all shards in one reader, each with a watermark of its own.

Kinesis keeps no place for a reader. The runner keeps it with its checkpoints; with a journal it is in a file there,
too, once a batch is durable, so that a job that starts anew goes on from there.
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from pipelines.io.files.atomic import replace_file
from pipelines.io.kinesis import shards
from pipelines.io.kinesis.address import KinesisInput
from pipelines.io.kinesis.reader import ShardReader
from pipelines.io.stream.event_time import read_event_time_us
from pipelines.io.stream.source import Batch, Progress, Reader, Record, now_us
from pipelines.io.stream.source_options import SourceOptions
from pipelines.io.stream.watermark import StreamWatermark
from schemas.errors import InputError
from schemas.message import Message
from transforms.state.process import PROCESS, Registry

_LOGGER = logging.getLogger(__name__)
_PLACES_LOCK = threading.Lock()
"""Of the files that keep how far was read."""


@dataclass(frozen=True)
class KinesisSource:
    """A stream as a stream of messages. `clock` gives microseconds since the epoch."""

    location: KinesisInput
    options: SourceOptions
    clock: Callable[[], int] = now_us

    @property
    def text(self) -> str:
        return self.location.text

    def count_readers(self) -> int:
        try:
            _reader(self).check()
        except (ClientError, BotoCoreError) as error:
            raise InputError(f"--input {self.text}: {self.location.address.explain(error)}") from error
        return 1

    def start(self, reader: Reader) -> Progress:
        return Progress(self._kept())

    def read(self, reader: Reader, progress: Progress, watermark: StreamWatermark) -> Batch:
        client = _reader(self)
        positions = dict(progress.positions)
        try:
            known = client.shards(self.options.refresh_seconds)
        except (ClientError, BotoCoreError) as error:
            self._warn(error)
            return Batch([], positions, wait_seconds=1.0)
        positions = shards.with_shards(known, positions)
        active = shards.readable(known, positions)
        watermark.track(active)
        records: list[Record] = []
        size = 0
        for name in client.in_turn(active):
            if len(records) >= self.options.max_poll_records or size >= self.options.max_poll_bytes:
                watermark.found_behind(name)
                continue
            asked_us = self.clock()
            most = min(self.options.max_poll_records - len(records), 10_000)
            try:
                answer = client.read(name, positions[name], most)
            except (ClientError, BotoCoreError) as error:
                self._warn(error)
                watermark.found_behind(name)
                continue
            if answer is None:  # it was asked a moment ago, and may be asked five times a second
                continue
            found = [self._record(record) for record in answer.records]
            size += sum(len(record.message.raw) for record in found)
            records += found
            positions[name] = answer.position
            if found:
                watermark.observe(name, max(record.event_us for record in found), self.clock())
            elif answer.is_empty:
                watermark.found_empty(name, asked_us)
            else:
                watermark.found_behind(name)
        moved = {name: at for name, at in positions.items() if at != progress.positions.get(name)}
        wait = 0.0 if records else client.wait_seconds()
        return Batch(records, positions, json.dumps(moved).encode() if moved else b"", wait)

    def acknowledge(self, tokens: Sequence[bytes]) -> None:
        path = self._place()
        if path is None:
            return
        with _PLACES_LOCK:
            kept = shards.furthest([self._kept(), *(json.loads(token) for token in tokens)])
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(".part")
            part.write_text(json.dumps(kept))
            replace_file(part, path)

    def _record(self, record: dict[str, Any]) -> Record:
        raw = bytes(record["Data"])
        now = self.clock()
        arrived = record.get("ApproximateArrivalTimestamp")
        arrived_us = now if arrived is None else min(int(arrived.timestamp() * 1_000_000) + 999, now)
        message = Message(raw, self.text, {}, came_us=arrived_us)
        return Record(message, read_event_time_us(raw, arrived_us))

    def _place(self) -> Path | None:
        """The file that keeps how far it was read."""
        if not self.options.positions_folder:
            return None
        name = hashlib.sha256(self.text.encode()).hexdigest()[:16]
        return Path(self.options.positions_folder) / f"kinesis-{name}.json"

    def _kept(self) -> dict[str, int]:
        path = self._place()
        return json.loads(path.read_text()) if path is not None and path.exists() else {}

    def _warn(self, error: Exception) -> None:
        _LOGGER.warning("%s: trying again: %s", self.text, self.location.address.explain(error))


_READERS: Registry[KinesisInput, ShardReader] = PROCESS.registry(ShardReader.close)


def _reader(source: KinesisSource) -> ShardReader:
    """This process's connection to the stream."""
    return _READERS.get(source.location, lambda: ShardReader(source.location.address))

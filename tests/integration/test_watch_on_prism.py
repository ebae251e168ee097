"""A watched folder in a whole job: files that appear while it runs, and an event-time timer when nothing more comes."""

import json
import queue
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.transforms.timeutil import TimeDomain
from apache_beam.transforms.userstate import TimerSpec, on_timer
from apache_beam.utils.timestamp import Timestamp

from pipelines.io.files.watched_files import of_positions, read_journal
from pipelines.io.locations import parse_input
from pipelines.io.stream.read_sources import read_messages
from pipelines.io.stream.source_options import SourceOptions

WAIT_SECONDS = 90


class SayWhenPassed(beam.DoFn):
    DUE = TimerSpec("due", TimeDomain.WATERMARK)
    said: ClassVar["queue.Queue[str]"] = queue.Queue()

    def process(self, element: tuple[str, int], due: Any = beam.DoFn.TimerParam(DUE)) -> None:
        self.said.put(f"{element[0]} arrived")
        due.set(Timestamp(element[1] + 1))

    @on_timer(DUE)
    def fire(self, key: str = beam.DoFn.KeyParam) -> None:
        self.said.put(f"{key} passed")


def to_key_and_second(message: Any) -> tuple[str, int]:
    event = json.loads(message.raw)
    return event["messageId"], int(datetime.fromisoformat(event["timestamp"]).timestamp())


def put(folder: Path, name: str, message_id: str) -> None:
    hidden = folder / f".{name}"
    hidden.write_text(json.dumps({"messageId": message_id, "timestamp": datetime.now(UTC).isoformat()}) + "\n")
    hidden.rename(folder / name)


def test_files_are_read_as_they_appear_and_silence_is_no_standstill(prism_binary: Path, tmp_path: Path) -> None:
    folder = tmp_path / "incoming"
    folder.mkdir()
    journal = tmp_path / "journal"
    settings = SourceOptions(
        out_of_orderness_seconds=0.5, idle_timeout_seconds=1, watch_seconds=0.2, watch_journal=str(journal)
    )
    arguments = ["--runner=PrismRunner", f"--prism_location={prism_binary}", "--streaming"]
    pipeline = beam.Pipeline(options=PipelineOptions(arguments))
    keyed = beam.Map(to_key_and_second).with_output_types(tuple[str, int])
    messages = read_messages(pipeline, [parse_input(f"watch:{folder}/*.ndjson")], settings)
    _ = messages | keyed | beam.ParDo(SayWhenPassed())
    job = pipeline.run()
    for name in ("b", "a"):
        put(folder, f"{name}.ndjson", name)
        assert SayWhenPassed.said.get(timeout=WAIT_SECONDS) == f"{name} arrived"
        assert SayWhenPassed.said.get(timeout=WAIT_SECONDS) == f"{name} passed"
    assert list(of_positions(read_journal(str(journal)))) == [str(folder / "b.ndjson"), str(folder / "a.ndjson")]
    job.cancel()

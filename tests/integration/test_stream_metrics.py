"""A stream on Prism tells its metrics while it runs, and logs JSON: what it counts is what its tables hold."""

import json
import re
import time
import urllib.request
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from examples.shop_live.events import LiveShop, write_whole
from tests.integration.stream_jobs import StreamJob, ask, write_segments
from transforms.measures import METRICS

OUTCOMES = ("accepted", "duplicate", "erased", "retracted", "failed")


def ask_metrics(address: str) -> dict[str, float]:
    with urllib.request.urlopen(address) as answer:  # noqa: S310 - an address of ours
        families = list(text_string_to_metric_families(answer.read().decode()))
    return {
        sample.name + "".join(f",{name}={value}" for name, value in sorted(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def address_in(log: str) -> str:
    found = re.search(r"Metrics at (http://127\.0\.0\.1:\d+/metrics)", log)
    return found[1] if found else ""


def test_metrics_of_a_stream_are_those_of_its_tables(prism_binary: Path, tmp_path: Path) -> None:
    segments, output, folder = write_segments(tmp_path / "segments"), tmp_path / "live.duckdb", tmp_path / "in"
    folder.mkdir()
    now_ms = time.time_ns() // 1_000_000
    messages = list(LiveShop(3, 10, now_ms - 60_000).until(now_ms))
    inputs = [f"watch:{folder}/*.ndjson"]
    options = ["--metrics_port=0", "--log_format=json"]
    with StreamJob(inputs, segments, output, prism_binary, *options) as job:
        job.wait_until(lambda: bool(address_in(job.log())))
        address = address_in(job.log())
        write_whole(folder / "0.ndjson", messages[:200])
        job.wait_until(lambda: ask_metrics(address)["tidemark_row_lag_seconds_count"] > 0)
        write_whole(folder / "1.ndjson", messages[200:])
        job.wait_until(lambda: settled(ask_metrics(address)) == len(messages))
        job.wait_until(lambda: ask_metrics(address)["tidemark_oldest_unwritten_seconds"] == 0)
        found = ask_metrics(address)
        assert job.stop() == 0
    ((events,),) = ask(output, "SELECT count(*) FROM events")
    ((failed,),) = ask(output, "SELECT count(*) FROM failed_events")
    ((profiles,),) = ask(output, "SELECT count(*) FROM profiles WHERE merged_into IS NULL")
    assert found["tidemark_events,outcome=accepted"] == events
    assert found["tidemark_events,outcome=failed"] == failed
    assert found["tidemark_profiles"] == profiles
    assert found["tidemark_messages_read_total,source=watch-1"] == found["tidemark_events_read_total"] == len(messages)
    assert found["tidemark_row_lag_seconds_bucket,le=+Inf"] == found["tidemark_row_lag_seconds_count"]
    assert found["tidemark_row_lag_seconds_sum"] > 0
    known = {metric.name for metric in METRICS}
    assert {re.sub("_(bucket|sum|count)$", "", key.partition(",")[0]) for key in found} <= known
    lines = [json.loads(line) for line in job.log().splitlines() if line.startswith("{")]
    assert {"severity", "timestamp", "message", "logger"} <= set(lines[0])
    assert any(line["message"].startswith("Stopped.") for line in lines)


def settled(found: dict[str, float]) -> float:
    return sum(found.get(f"tidemark_events,outcome={outcome}", 0) for outcome in OUTCOMES)

"""A stream on Prism has a second process: killed, it ends the job with a reason; started again, the job goes on."""

import time
from pathlib import Path

import psutil

from examples.shop_live.events import LiveShop, write_whole
from tests.integration.stream_jobs import StreamJob, messages_written, run_batch, tables, write_segments


def process_apart(job: StreamJob) -> psutil.Process | None:
    children = psutil.Process(job.pid).children()
    return next((one for one in children if "pipelines.apart.worker" in " ".join(one.cmdline())), None)


def test_a_second_process_that_is_killed_ends_the_job_and_loses_nothing(prism_binary: Path, tmp_path: Path) -> None:
    segments, output, batch = write_segments(tmp_path / "segments"), tmp_path / "live.duckdb", tmp_path / "batch.duckdb"
    folder = tmp_path / "in"
    folder.mkdir()
    now_ms = time.time_ns() // 1_000_000
    messages = list(LiveShop(5, 10, now_ms - 60_000).until(now_ms))
    write_whole(tmp_path / "all.ndjson", messages)
    run_batch([str(tmp_path / "all.ndjson")], segments, batch)
    inputs = [f"watch:{folder}/*.ndjson"]
    with StreamJob(inputs, segments, output, prism_binary) as job:
        write_whole(folder / "0.ndjson", messages[: len(messages) // 2])
        job.wait_until(lambda: messages_written(output) > 0)
        apart = process_apart(job)
        assert apart is not None
        apart.kill()
        assert job.wait() == 1
        assert "a worker process ended before its work was done" in job.log()
    write_whole(folder / "1.ndjson", messages[len(messages) // 2 :])
    with StreamJob(inputs, segments, output, prism_binary) as job:
        job.wait_until(lambda: messages_written(output) == len(messages))
        job.wait_until(lambda: tables(output) == tables(batch))
        apart = process_apart(job)
        assert apart is not None
        assert job.stop() == 0
        assert not apart.is_running()

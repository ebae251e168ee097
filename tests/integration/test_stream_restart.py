"""A stream on a watched folder: history first, then live; stopped, killed, started again; the end is the batch's."""

import time
from pathlib import Path

import pytest

from examples.shop_live.events import LiveShop, write_whole
from tests.integration.stream_jobs import (
    StreamJob,
    ask,
    messages_written,
    run_batch,
    stays,
    stays_told,
    tables,
    with_companies,
    write_segments,
)


@pytest.fixture
def shop() -> list[bytes]:
    """About 600 messages of the last minutes."""
    now_ms = time.time_ns() // 1_000_000
    return list(with_companies(LiveShop(3, 10, now_ms - 60_000).until(now_ms)))


@pytest.mark.parametrize("padding", [0, 60_000])
def test_history_then_live_over_restarts_ends_as_the_batch_job(
    shop: list[bytes], padding: int, prism_binary: Path, tmp_path: Path
) -> None:
    """A long history, of which `padding` blanks for each message make one, is taken in before the graph starts."""
    shop = [message + b" " * padding for message in shop[:300]] + shop[300:]
    segments, output, folder = write_segments(tmp_path / "segments"), tmp_path / "live.duckdb", tmp_path / "in"
    folder.mkdir()
    history, parts = tmp_path / "history.ndjson", [shop[300::3], shop[301::3], shop[302::3]]
    write_whole(history, shop[:300])
    for number, part in enumerate(parts):
        write_whole(tmp_path / f"all-{number}.ndjson", part)
    batch = tmp_path / "batch.duckdb"
    run_batch([str(history), f"{tmp_path}/all-*.ndjson"], segments, batch)
    inputs = [str(history), f"watch:{folder}/*.ndjson"]

    with StreamJob(inputs, segments, output, prism_binary) as job:
        job.wait_until(lambda: messages_written(output) > 0)
        write_whole(folder / "0.ndjson", parts[0])
        before = messages_written(output)
        job.wait_until(lambda: messages_written(output) > before)
        job.kill()
    with StreamJob(inputs, segments, output, prism_binary) as job:
        write_whole(folder / "1.ndjson", parts[1])
        before = messages_written(output)
        job.wait_until(lambda: messages_written(output) > before)
        assert job.stop() == 0
        assert "Stopped" in job.log()
    told = {row for (row,) in ask(output, "SELECT change_id FROM membership_changes")}
    with StreamJob(inputs[1:], segments, output, prism_binary) as job:
        write_whole(folder / "2.ndjson", parts[2])
        expected = tables(batch)
        assert len(expected["accounts"]) >= 2
        job.wait_until(lambda: tables(output)["events"] == expected["events"])
        job.wait_until(lambda: tables(output) == expected)
        assert job.stop() == 0
        assert job.log().count("Took in") == (3 if padding else 0)
    assert not (output.with_name("live.duckdb.stream") / "boot").exists()
    assert told <= {row for (row,) in ask(output, "SELECT change_id FROM membership_changes")}, "the log only grows"
    assert stays_told(output) == stays(output)

"""A stream on machines that share nothing, into BigQuery: whatever dies and whatever takes over, the tables are F's."""

from __future__ import annotations

import random
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.deploy.relabelled import relabelled_samples
from tests.integration.cluster_stream import ClusterStream
from tests.integration.flink_cluster import ClusterPlace, kill_and_replace
from tests.integration.stream_jobs import write_segments
from transforms.measures import METRICS

pytest_plugins = ("tests.integration.flink_fixtures",)

PARTS = 5
SETTLED = ("tidemark_events,", "tidemark_failed_events,")
"""What has become of the events that were read."""


@pytest.mark.servers("kafka", "bigquery")
def test_a_stream_that_loses_task_managers_ends_in_the_tables_of_the_bounded_job(
    flink_cluster: ClusterPlace | None, tmp_path: Path
) -> None:
    assert flink_cluster is not None
    seed = time.time_ns() % 1_000_000
    print(f"seed {seed}")
    chance = random.Random(seed)  # noqa: S311 - when and which one, no secret
    stream = ClusterStream(flink_cluster, tmp_path, time.time_ns() // 1_000_000, 60, chance)
    kills = chance.sample(range(1, PARTS + 1), 2)
    with stream.job("job", 2) as job:
        job.wait_until(lambda: bool(job.running()))
        for part in range(1, PARTS + 1):
            stream.publish(part / PARTS)
            if part not in kills:
                job.wait_until(stream.acknowledged)
                continue
            moment = time.monotonic() + chance.uniform(0, 5)
            job.wait_until(lambda moment=moment: time.monotonic() >= moment)  # type: ignore[misc]
            kill_and_replace(flink_cluster, chance)
        stream.wait_for_rows(job)
        flink_cluster.cluster.savepoint(job.running())
    assert stream.differences() == {}
    assert stream.log_is_right()


@pytest.mark.servers("kafka", "bigquery")
def test_a_stream_goes_on_from_a_savepoint_on_another_cluster_with_more_slots(
    flink_cluster: ClusterPlace | None, tmp_path: Path
) -> None:
    assert flink_cluster is not None
    place, chance = flink_cluster, random.Random(1)  # noqa: S311 - the order of events, no secret
    stream = ClusterStream(place, tmp_path, time.time_ns() // 1_000_000, 40, chance)
    stream.publish(0.5)
    with stream.job("first", 1) as first:
        stream.wait_for_rows(first)
        first.wait_until(lambda: counted(place)["tidemark_events_read_total"] == stream.published)
        told = counted(place)
        savepoint = place.cluster.savepoint(first.running())
    assert told["tidemark_messages_read_total,source=kafka-1"] == stream.published
    assert sum(number for name, number in told.items() if name.startswith(SETTLED)) == stream.published
    assert told["tidemark_row_lag_seconds_bucket,le=+Inf"] > 0
    assert {name.partition(",")[0].removesuffix("_bucket") for name in told} <= {metric.name for metric in METRICS}
    place.cluster.stop()
    place.cluster.start()
    stream.publish(1)
    with stream.job("second", 2, f"--savepoint_path={savepoint}") as second:
        stream.wait_for_rows(second)
        place.cluster.savepoint(second.running())
    assert stream.differences() == {}
    assert stream.log_is_right()


@pytest.mark.servers("kafka", "bigquery")
def test_a_new_release_takes_over_with_other_rules_and_a_stage_more_and_is_rolled_back(
    flink_cluster: ClusterPlace | None, tmp_path: Path
) -> None:
    assert flink_cluster is not None
    place, chance = flink_cluster, random.Random(2)  # noqa: S311 - the order of events, no secret
    stream = ClusterStream(place, tmp_path, time.time_ns() // 1_000_000, 40, chance)
    stream.publish(0.4)
    with stream.job("release", 2) as release:
        stream.wait_for_rows(release)
        savepoint = place.cluster.savepoint(release.running())

    stream.follow_rules(other_rules(tmp_path / "other"))
    stream.publish(0.8)
    next_release = "tests.integration.cluster_next_release"
    with stream.job("next", 2, f"--savepoint_path={savepoint}", module=next_release) as release:
        stream.wait_for_rows(release)
        savepoint = place.cluster.savepoint(release.running())

    stream.publish(1)
    with stream.job("refused", 2, f"--savepoint_path={savepoint}") as release:
        assert release.wait() == 1
        assert "Cannot map checkpoint/savepoint state for operator" in release.printed()
    allowed = "--allow_non_restored_state"
    with stream.job("back", 2, f"--savepoint_path={savepoint}", allowed) as release:
        stream.wait_for_rows(release)
        release.wait_until(lambda: stream.differences() == {})
        place.cluster.savepoint(release.running())
    assert stream.differences() == {}
    assert stream.log_is_right()


def counted(place: ClusterPlace) -> Counter[str]:
    """What Flink tells Prometheus of the job, by our names."""
    return relabelled_samples(place.cluster.metrics())


def other_rules(folder: Path) -> Path:
    """The rules of `write_segments`, one changed, one gone, one new."""
    write_segments(folder)
    (folder / "shoppers.yaml").write_text("when: event('Product Viewed').within(300 days).count() >= 4\n")
    (folder / "buyers.yaml").unlink()
    (folder / "adders.yaml").write_text("when: event('Product Added').within(300 days).count() >= 1\n")
    return folder

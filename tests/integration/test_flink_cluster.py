"""Jobs on a standalone Flink cluster whose machines share nothing: the tables of the local job, whatever is killed."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from pipelines.io.files.store import open_store
from tests.integration.flink_cluster import ClusterJob, ClusterPlace, kill_and_replace
from tests.integration.test_object_stores import EVENTS as EXAMPLE
from tests.integration.test_object_stores import RULES, all_rows, without_source

pytest_plugins = ("tests.integration.flink_fixtures",)


@pytest.mark.servers
def test_a_bounded_job_survives_a_task_manager_and_ends_as_the_local_one(
    flink_cluster: ClusterPlace | None, tmp_path: Path
) -> None:
    assert flink_cluster is not None
    place, bucket = flink_cluster, flink_cluster.bucket
    with open_store(bucket).writing("in/events.ndjson") as path:
        path.write_bytes(EXAMPLE.read_bytes())
    local = tmp_path / "local.duckdb"
    run_batch_with_rules(str(EXAMPLE), local)
    expected = without_source(all_rows(f"duckdb:{local}"))
    common = ["--input", f"{bucket}/in/events.ndjson", *RULES]

    staged = f"duckdb:{tmp_path}/staged.duckdb"
    with ClusterJob(place, 2, tmp_path / "one.log", *common, f"--output={staged}", f"--staging={bucket}/b") as job:
        job.wait_until(lambda: bool(job.running()))
        job.wait_until(lambda: any("tidemark-staging" in file.name for file in open_store(f"{bucket}/b").list()))
        kill_and_replace(place, random.Random(1))  # noqa: S311 - no secret, but which one
        assert job.wait() == 0, job.log()
    assert without_source(all_rows(staged)) == expected
    assert open_store(f"{bucket}/b").list() == []

    with ClusterJob(place, 4, tmp_path / "two.log", *common, f"--output=files:{bucket}/out") as job:
        assert job.wait() == 0, job.log()
    assert without_source(all_rows(f"files:{bucket}/out")) == expected


def run_batch_with_rules(events: str, output: Path) -> None:
    from pipelines.profiles import main

    assert main([f"--input={events}", *RULES, f"--output=duckdb:{output}"]) == 0

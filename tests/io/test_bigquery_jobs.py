"""A BigQuery job runs once, whatever is lost on the way; one that failed for a passing reason runs again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from google.api_core import exceptions

from pipelines.io.bigquery.errors import BigQueryError
from pipelines.io.bigquery.jobs import run_query

LOST = ConnectionError("reset")
BUSY = exceptions.ServiceUnavailable("503")
AGAIN = exceptions.Forbidden("quota", errors=[{"reason": "rateLimitExceeded"}])
WRONG = exceptions.BadRequest("Syntax error", errors=[{"reason": "invalidQuery"}])


class Job:
    def __init__(self, job_id: str, looks: Iterable[object], failure: Exception | None) -> None:
        self.job_id = job_id
        self._looks = iter(looks)
        self._failure = failure

    def done(self, **_: object) -> bool:
        found = next(self._looks, True)
        if isinstance(found, Exception):
            raise found
        return bool(found)

    def exception(self) -> Exception | None:
        return self._failure


class Client:
    """Starts jobs. `starts` has, for each, what it ends with. The answers to the first `lost` requests get lost."""

    def __init__(self, *starts: Exception | None, looks: Iterable[object] = (), lost: int = 0) -> None:
        self._ends = list(starts)
        self._looks = list(looks)
        self._lost = lost
        self.jobs: dict[str, Job] = {}
        self.asked: list[tuple[str, str | None]] = []

    def query(self, sql: str, *, job_id: str, **_: object) -> Job:
        assert sql == "SELECT 1"
        if job_id in self.jobs:
            raise exceptions.Conflict(f"Already Exists: Job shop-project:EU.{job_id}")
        self.jobs[job_id] = Job(job_id, self._looks, self._ends.pop(0))
        if self._lost:
            self._lost -= 1
            raise LOST
        return self.jobs[job_id]

    def get_job(self, job_id: str, *, location: str | None, **_: object) -> Job:
        self.asked.append((job_id, location))
        return self.jobs[job_id]


def run(client: Client) -> Job:
    given: Any = client
    found: Any = run_query(given, "ask", "SELECT 1", sleep=lambda _: None)
    return found


def test_a_job_whose_start_was_not_answered_is_found_and_not_started_again() -> None:
    client = Client(None, lost=1)
    job = run(client)
    assert list(client.jobs) == [job.job_id]
    assert client.asked == [(job.job_id, "EU")]


def test_a_fault_while_waiting_starts_nothing() -> None:
    client = Client(None, looks=[False, BUSY, LOST, False, True])
    job = run(client)
    assert list(client.jobs) == [job.job_id]


def test_a_job_that_failed_for_a_passing_reason_is_started_anew() -> None:
    client = Client(AGAIN, None)
    job = run(client)
    assert list(client.jobs)[1:] == [job.job_id]


def test_a_job_that_failed_for_good_says_why() -> None:
    client = Client(WRONG)
    with pytest.raises(BigQueryError, match="ask: BadRequest invalidQuery: Syntax error"):
        run(client)
    assert len(client.jobs) == 1

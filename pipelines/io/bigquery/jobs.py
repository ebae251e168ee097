"""BigQuery jobs: started once, and waited for, whatever is lost on the way.

A request whose answer was lost may have started its job. Another one beside it would be in its way: of two transactions
over the same tables BigQuery aborts one. So a query is asked for under an id of ours until there is a job with that id,
and a fault while waiting asks again how it is. Only a job that failed, for a reason that passes, is started anew.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable
from typing import Any, cast

from google.api_core import exceptions
from google.cloud import bigquery

from pipelines.io.bigquery.errors import BigQueryError
from pipelines.io.bigquery.service import NO_RETRY, REQUEST_SECONDS, back_off, is_already_started, retried

_MOST_WAIT_SECONDS = 5.0
_LOCATION = re.compile(r"already exists: job [^\s:]+:(?:[^\s:]+:)?([\w-]+)\.", re.IGNORECASE)
"""In BigQuery's words about a job that is there: `Already Exists: Job PROJECT:LOCATION.ID`."""


def run_query(
    client: bigquery.Client,
    what: str,
    sql: str,
    parameters: list[Any] | None = None,
    *,
    sleep: Callable[[float], object] = time.sleep,
) -> bigquery.QueryJob:
    """Run a query, or a script of several statements, to its end.

    Args:
        client: of the REST interface.
        what: names it in errors.
        sql: the text.
        parameters: values of its `@names`.
        sleep: waits for a number of seconds.

    Raises:
        BigQueryError: it failed, or BigQuery was not to be reached for longer than the retries last.
    """
    config = bigquery.QueryJobConfig(query_parameters=parameters or [])

    def start(job_id: str) -> bigquery.QueryJob:
        try:
            return client.query(
                sql, job_config=config, job_id=job_id, retry=NO_RETRY, job_retry=None, timeout=REQUEST_SECONDS
            )
        except (exceptions.Conflict, exceptions.BadRequest) as error:
            # The emulator, too, says of its own things that bear the job's id that they are there.
            if not is_already_started(error) and f"{job_id} is already created" not in str(error.message):
                raise
            place = _LOCATION.search(str(error.message))
            found = client.get_job(
                job_id, location=place[1] if place else None, retry=NO_RETRY, timeout=REQUEST_SECONDS
            )
            return cast(bigquery.QueryJob, found)  # the id is one that a query was started with

    job: bigquery.QueryJob = run_job(what, start, sleep=sleep)
    return job


def run_job(what: str, start: Callable[[str], Any], *, sleep: Callable[[float], object] = time.sleep) -> Any:
    """Start a job and wait for its end.

    Args:
        what: names it in errors.
        start: starts the job under the id that it is given, or under one of its own if a second job does no harm.
        sleep: waits for a number of seconds.

    Raises:
        BigQueryError: the job failed, or BigQuery was not to be reached for longer than the retries last.
    """

    def run() -> Any:
        job_id = f"tidemark_{uuid.uuid4().hex}"
        job = retried(f"start: {what}", lambda: start(job_id), sleep=sleep)
        for delay in back_off(0.1, _MOST_WAIT_SECONDS):
            if retried(f"wait: {what}", lambda: job.done(retry=NO_RETRY, timeout=REQUEST_SECONDS), sleep=sleep):
                break
            sleep(delay)
        failure = job.exception()
        if failure is not None:
            raise failure
        return job

    try:
        return retried(what, run, sleep=sleep)
    except exceptions.GoogleAPICallError as error:
        reasons = sorted({str(detail.get("reason")) for detail in error.errors if isinstance(detail, dict)})
        raise BigQueryError(f"{what}: {type(error).__name__} {' '.join(reasons)}: {error.message}") from error

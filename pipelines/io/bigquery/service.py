"""Talking to BigQuery: clients, and which faults are worth another try.

`BIGQUERY_EMULATOR_HOST` (http://HOST:PORT) and `BIGQUERY_STORAGE_EMULATOR_HOST` (HOST:PORT, gRPC) in the environment
send the REST and the Storage Write requests elsewhere, without credentials.
"""

from __future__ import annotations

import os
import random
import re
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import google.auth.exceptions
import grpc
import requests
from google.api_core import exceptions
from google.api_core.client_options import ClientOptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery
from google.cloud.bigquery_storage_v1 import BigQueryReadClient, BigQueryWriteClient
from google.cloud.bigquery_storage_v1.services.big_query_write.transports import BigQueryWriteGrpcTransport

from pipelines.io.bigquery.errors import BigQueryError

T = TypeVar("T")

RETRY_SECONDS = 600.0
"""How long a fault may last before it counts as permanent."""

START_SECONDS = 30.0
"""The same while a job has not begun: whoever started it waits for an answer."""

REQUEST_SECONDS = 60.0
"""How long one request may take."""

NO_RETRY: Any = None
"""For `retry=` of BigQuery's client: it documents None for "do not", and its annotations leave that out."""

WRITE_HOST = "BIGQUERY_STORAGE_EMULATOR_HOST"

_TRANSIENT = (
    exceptions.TooManyRequests,
    exceptions.BadGateway,
    exceptions.ServiceUnavailable,
    exceptions.GatewayTimeout,
    exceptions.DeadlineExceeded,
    exceptions.Aborted,
    exceptions.Cancelled,
    ConnectionError,
    requests.exceptions.ConnectionError,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.Timeout,
    google.auth.exceptions.TransportError,
)

_TRANSIENT_REASONS = {"backendError", "internalError", "rateLimitExceeded", "quotaExceeded", "jobBackendError"}
"""Reasons in an error's body that mean: try again. A 500 without one of them is the statement's own fault."""

_ALREADY_STARTED = re.compile(r"already exists: job\b|\bjob \S+ is already created", re.IGNORECASE)


def rest_client(project: str) -> bigquery.Client:
    """A client of the REST interface."""
    host = os.environ.get("BIGQUERY_EMULATOR_HOST")
    if not host:
        return bigquery.Client(project)
    return bigquery.Client(
        project, credentials=AnonymousCredentials(), client_options=ClientOptions(api_endpoint=_with_scheme(host))
    )


def _with_scheme(host: str) -> str:
    return host if "://" in host else f"http://{host}"


def write_client() -> BigQueryWriteClient:
    """A client of the Storage Write API."""
    host = os.environ.get(WRITE_HOST)
    if not host:
        return BigQueryWriteClient()
    return BigQueryWriteClient(transport=BigQueryWriteGrpcTransport(channel=grpc.insecure_channel(host)))


def read_client() -> BigQueryReadClient | None:
    """A client of the Storage Read API; None where the server has none, and rows come as pages of a query."""
    return None if os.environ.get("BIGQUERY_EMULATOR_HOST") else BigQueryReadClient()


def is_transient(error: BaseException) -> bool:
    """Whether the same request may succeed later."""
    if isinstance(error, exceptions.GoogleAPICallError) and error.errors:
        reasons = {detail.get("reason") for detail in error.errors if isinstance(detail, dict)}
        if reasons & _TRANSIENT_REASONS:
            return True
    return isinstance(error, _TRANSIENT) or is_already_started(error)


def is_already_started(error: BaseException) -> bool:
    """Whether a request to start a job came twice: the first one's answer was lost."""
    if not isinstance(error, exceptions.Conflict | exceptions.BadRequest):
        return False
    return _ALREADY_STARTED.search(str(error.message)) is not None


def first_line(error: exceptions.GoogleAPICallError) -> str:
    """What the service says, without what follows for its developers."""
    return (str(error.message).splitlines() or [type(error).__name__])[0]


def retried(
    what: str,
    call: Callable[[], T],
    *,
    sleep: Callable[[float], object] = time.sleep,
    now: Callable[[], float] = time.monotonic,
    seconds: float = RETRY_SECONDS,
) -> T:
    """Call until it succeeds. `call` must be safe to repeat: its first attempt may have worked unnoticed.

    Raises:
        BigQueryError: a transient fault lasted longer than `seconds`.
        Exception: any other fault, as it came.
    """
    until = now() + seconds
    for delay in back_off():
        try:
            return call()
        except Exception as error:
            if not is_transient(error):
                raise
            if now() + delay > until:
                raise BigQueryError(f"{what}: gave up after {seconds:.0f} s: {type(error).__name__}") from error
            sleep(delay)
    raise AssertionError("back_off() ends only with the caller")


def back_off(first: float = 0.25, most: float = 32.0) -> Iterator[float]:
    """Seconds to wait before each next try: doubling, with jitter so that workers do not come back together."""
    delay = first
    while True:
        yield delay * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret
        delay = min(delay * 2, most)

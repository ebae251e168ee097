"""Which faults of BigQuery are tried again, and for how long."""

from __future__ import annotations

import itertools

import pytest
import requests
from google.api_core import exceptions

from pipelines.io.bigquery.errors import BigQueryError
from pipelines.io.bigquery.service import back_off, is_transient, retried


@pytest.mark.parametrize(
    "error",
    [
        exceptions.ServiceUnavailable("503"),
        exceptions.TooManyRequests("429"),
        exceptions.BadGateway("502"),
        exceptions.InternalServerError("500", errors=[{"reason": "backendError"}]),
        exceptions.Forbidden("403", errors=[{"reason": "rateLimitExceeded"}]),
        exceptions.Conflict("Already Exists: Job shop-project:US.4f78"),
        exceptions.BadRequest("failed to add job: job 4f78 is already created"),
        requests.exceptions.ConnectionError("reset"),
        ConnectionResetError("reset"),
    ],
    ids=str,
)
def test_these_are_tried_again(error: Exception) -> None:
    answers = iter([error, error])
    waits: list[float] = []

    def call() -> str:
        fault = next(answers, None)
        if fault:
            raise fault
        return "done"

    assert retried("ask", call, sleep=waits.append) == "done"
    assert len(waits) == 2


@pytest.mark.parametrize(
    "error",
    [
        exceptions.InternalServerError("500", errors=[{"reason": "jobInternalError"}]),
        exceptions.Conflict("Already Exists: Table shop-project:shop.profiles"),
        exceptions.BadRequest("Syntax error"),
        exceptions.Forbidden("403", errors=[{"reason": "accessDenied"}]),
        exceptions.NotFound("404"),
        ValueError("no"),
    ],
    ids=str,
)
def test_these_are_not(error: Exception) -> None:
    def call() -> None:
        raise error

    assert not is_transient(error)
    with pytest.raises(type(error)):
        retried("ask", call, sleep=lambda _: pytest.fail("waited"))


def test_it_gives_up_in_the_end() -> None:
    clock = [0.0]

    def call() -> None:
        raise exceptions.ServiceUnavailable("503")

    def sleep(seconds: float) -> None:
        clock[0] += seconds

    with pytest.raises(BigQueryError, match="ask: gave up after 600 s: ServiceUnavailable"):
        retried("ask", call, sleep=sleep, now=lambda: clock[0])
    assert 560 < clock[0] <= 600


def test_waits_grow_and_differ() -> None:
    waits = list(itertools.islice(back_off(), 12))
    for place, wait in enumerate(waits):
        most = min(0.25 * 2**place, 32.0)
        assert most / 2 <= wait <= most

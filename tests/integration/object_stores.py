"""Fixtures of tests on object stores, a plugin that they name: a bucket of the test's own in each kind of store."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from apache_beam.internal.gcp.auth import _Credentials

from services.service import Running
from tests.integration.buckets import new_bucket
from tests.integration.leftovers import forget_leftovers

KINDS = ("gs", "s3")


@pytest.fixture
def use_stores(gcs_emulator: Running, s3_server: Running, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Every client of the test, and of what it starts, talks to the test's servers. Returns what it took for that."""
    environment = {**gcs_emulator.environment, **s3_server.environment}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    # Beam looks for Google's credentials for 20 seconds, though an emulator wants none.
    monkeypatch.setattr(_Credentials, "_credentials_init", True)
    return environment


@pytest.fixture(params=KINDS)
def bucket(request: pytest.FixtureRequest, use_stores: dict[str, str]) -> Iterator[str]:
    """A new bucket's URL."""
    yield new_bucket(str(request.param), use_stores)
    forget_leftovers()

"""Fixtures of tests on object stores, a plugin that they name: a bucket of the test's own in each kind of store."""

from __future__ import annotations

import json
import urllib.request
import uuid

import boto3
import pytest
from apache_beam.internal.gcp.auth import _Credentials

from services.service import Running

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
def bucket(request: pytest.FixtureRequest, use_stores: dict[str, str]) -> str:
    """A new bucket's URL."""
    return new_bucket(str(request.param), use_stores)


def new_bucket(kind: str, environment: dict[str, str]) -> str:
    name = f"tidemark-{uuid.uuid4().hex[:12]}"
    if kind == "gs":
        made = urllib.request.Request(  # noqa: S310 - always http on loopback
            f"{environment['STORAGE_EMULATOR_HOST']}/storage/v1/b?project=test",
            data=json.dumps({"name": name}).encode(),
            headers={"Content-Type": "application/json"},
        )
        urllib.request.urlopen(made).close()  # noqa: S310 - as above
    else:
        boto3.client("s3", endpoint_url=environment["AWS_ENDPOINT_URL_S3"]).create_bucket(Bucket=name)
    return f"{kind}://{name}"

"""Buckets of a test's own."""

from __future__ import annotations

import json
import urllib.request
import uuid
from collections.abc import Mapping

import boto3


def new_bucket(kind: str, environment: Mapping[str, str]) -> str:
    """Makes one in `gs` or `s3`, whose server the environment tells; returns its URL."""
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

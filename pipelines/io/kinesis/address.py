"""Where a Kinesis stream is: `kinesis:REGION/STREAM[?endpoint=URL]`, and how it is reached.

Credentials are found as every AWS tool finds them: the environment, a profile, the machine's role.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import urlsplit

FORM = "kinesis:REGION/STREAM[?endpoint=URL], for example kinesis:eu-central-1/events"
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")
_STREAM = re.compile(r"[A-Za-z0-9_.-]{1,128}")
TIMEOUT_SECONDS = 10.0
_NOT_FOUND = "ResourceNotFoundException"


@dataclass(frozen=True, slots=True)
class KinesisAddress:
    """A stream. `endpoint` is for an emulator or a private endpoint; "" for the region's own."""

    region: str
    stream: str
    endpoint: str = ""

    def __str__(self) -> str:
        return f"kinesis:{self.region}/{self.stream}"

    def explain(self, error: BaseException) -> str:
        """Why the stream cannot be used, in a few words."""
        code = getattr(error, "response", {}).get("Error", {}).get("Code", "")
        if code == _NOT_FOUND:
            return f"there is no stream {self.stream!r} in {self.region}"
        return f"Kinesis says {code}" if code else f"Kinesis does not answer: {type(error).__name__}"


@dataclass(frozen=True, slots=True)
class KinesisInput:
    """A stream as an input."""

    text: str
    address: KinesisAddress
    bounded: ClassVar[bool] = False


def make_address(path: str, endpoint: str) -> KinesisAddress:
    """An address from `REGION/STREAM`.

    Raises:
        ValueError: what is wrong with it.
    """
    region, _, stream = path.partition("/")
    if not _REGION.fullmatch(region):
        raise ValueError(f"{region!r} is no region")
    if not _STREAM.fullmatch(stream):
        raise ValueError(f"{stream!r} is no stream's name")
    if endpoint and (urlsplit(endpoint).scheme not in ("http", "https") or not urlsplit(endpoint).hostname):
        raise ValueError(f"{endpoint!r} is no URL")
    return KinesisAddress(region, stream, endpoint)


def connect(address: KinesisAddress) -> Any:
    """A client that tries requests again while what is in their way is passing. It connects with its first request."""
    import boto3
    from botocore.config import Config

    config = Config(
        connect_timeout=TIMEOUT_SECONDS,
        read_timeout=TIMEOUT_SECONDS,
        retries={"mode": "standard", "total_max_attempts": 5},
    )
    return boto3.client("kinesis", region_name=address.region, endpoint_url=address.endpoint or None, config=config)

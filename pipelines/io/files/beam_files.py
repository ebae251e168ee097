"""Files wherever they are: local ones by Python, the others by Beam's file systems, imported when one is met."""

from __future__ import annotations

import os
import re
import types
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

_SCHEME = re.compile(r"[a-zA-Z][-a-zA-Z0-9+.]*://")


def is_local(path: str) -> bool:
    """Whether a path or pattern is of this machine's disks; the others are read by Beam, and need it imported.

    >>> is_local("gs://bucket/events/*.avro")
    False
    """
    return _SCHEME.match(path.strip()) is None


def open_file(path: str) -> BinaryIO:
    """A file's bytes as they are."""
    if is_local(path):
        return Path(path).open("rb")
    from apache_beam.io.filesystem import CompressionTypes

    opened: BinaryIO = file_systems().open(path, compression_type=CompressionTypes.UNCOMPRESSED)
    return opened


def file_systems() -> Any:
    """Beam's `FileSystems`, with options: without any, that of S3 cannot be made. A worker may have been given none."""
    from apache_beam.io.filesystems import FileSystems

    if FileSystems._pipeline_options is None:
        use_options(())
    _share_s3_clients()
    return FileSystems


def use_options(arguments: Sequence[str]) -> None:
    """Makes file systems by these arguments of Beam's from now on (--s3_endpoint_url, --gcs_...), before a job has."""
    from apache_beam.io.filesystems import FileSystems
    from apache_beam.options.pipeline_options import PipelineOptions

    FileSystems.set_options(PipelineOptions(list(arguments)))


def _share_s3_clients() -> None:
    """Beam makes a client of boto3 for each file, which is 0.2 seconds of loading; threads may share one."""
    from apache_beam.io.aws.clients.s3 import boto3_client

    if boto3_client.boto3 is not None and not isinstance(boto3_client.boto3, _SharedClients):
        boto3_client.boto3 = _SharedClients()


class _SharedClients(types.SimpleNamespace):
    """As much of the module `boto3` as Beam uses."""

    def __init__(self) -> None:
        super().__init__(session=types.SimpleNamespace(Session=_SharedSession))


class _SharedSession:
    def client(self, **asked: Any) -> Any:
        """The client for these settings, and for the surroundings that boto3 looks at itself."""
        return _client(os.environ.get("AWS_ENDPOINT_URL_S3"), tuple(sorted(asked.items())))


@lru_cache(maxsize=16)
def _client(_endpoint: str | None, asked: tuple[tuple[str, Any], ...]) -> Any:
    import boto3

    return boto3.session.Session().client(**dict(asked))

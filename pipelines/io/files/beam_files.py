"""Files wherever they are: local ones by Python, the others by Beam's file systems, imported when one is met."""

from __future__ import annotations

import re
from collections.abc import Sequence
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
    return FileSystems


def use_options(arguments: Sequence[str]) -> None:
    """Makes file systems by these arguments of Beam's from now on (--s3_endpoint_url, --gcs_...), before a job has."""
    from apache_beam.io.filesystems import FileSystems
    from apache_beam.options.pipeline_options import PipelineOptions

    FileSystems.set_options(PipelineOptions(list(arguments)))

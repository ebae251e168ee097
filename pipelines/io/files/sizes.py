"""How much there is to read, told without Beam."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from pipelines.io.locations import FileInput

_COMPRESSION: Final = 8
"""What a gzipped file is assumed to grow by."""


def input_bytes(locations: Iterable[FileInput]) -> int:
    """About how many bytes of events there are."""
    files = [file for location in locations for file in location.files]
    return sum(file.size_bytes * (_COMPRESSION if file.gzipped else 1) for file in files)

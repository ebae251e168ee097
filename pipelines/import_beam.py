"""Imports Beam without what it takes along and no job of ours uses."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

_PANDAS: Final = ("pandas",)
_STORES: Final = ("apache_beam.io.gcp.gcsfilesystem", "apache_beam.io.aws.s3filesystem")


@contextmanager
def lasting_imports() -> Iterator[None]:
    """What is imported inside the `with` stays for good: Python's cycle collector does not look at it, now or later.

    It would look some hundred times at what is being imported, for 0.3 of 1.7 seconds, and once more at the end. Where
    Beam is imported already, nothing is different: a process that runs job after job keeps nothing of them.
    """
    if "apache_beam" in sys.modules:
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def names_a_store(arguments: Sequence[str]) -> bool:
    """Whether a command line names a place that is in an object store."""
    return any("://" in argument for argument in arguments)


def import_beam(*, stores: bool) -> None:
    """Imports Beam without what it takes along: pandas (0.4 of 1.65 s), and the clients of object stores (0.25 s).

    Beam then knows no types of pandas and no object stores; what imports one of them by itself later has it.

    Args:
        stores: whether object stores are needed.
    """
    if "apache_beam" in sys.modules:
        return
    without = [name for name in (*_PANDAS, *(() if stores else _STORES)) if name not in sys.modules]
    sys.modules.update(dict.fromkeys(without))
    try:
        import apache_beam

        _ = apache_beam
    finally:
        for name in without:
            del sys.modules[name]

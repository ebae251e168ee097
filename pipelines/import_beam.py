"""Imports Beam without what it takes along and no job of ours uses."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def lasting_imports() -> Iterator[None]:
    """What is imported inside the `with` stays for good: Python's cycle collector does not look at it, now or later.

    It would look some hundred times at what is being imported, for 0.3 of 1.7 seconds, and once more at the end.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def import_beam() -> None:
    """Imports Beam without pandas, which it imports wherever it is installed (0.4 of 1.65 s).

    Beam then knows no types of pandas; what imports pandas by itself later has it.
    """
    if "pandas" in sys.modules or "apache_beam" in sys.modules:
        return
    sys.modules["pandas"] = None  # type: ignore[assignment]
    try:
        import apache_beam

        _ = apache_beam
    finally:
        del sys.modules["pandas"]

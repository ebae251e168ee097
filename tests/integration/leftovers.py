"""What libraries leave behind, and whom it would hit."""

from __future__ import annotations

import gc
import sys
import warnings
from typing import Final

_COLLECTIONS: Final = 5
"""What is collected may leave something to the next collection."""


def forget_leftovers() -> None:
    """Collects what libraries leave to Python's collector: an open socket would be a warning, and so an error.

    Beam's writer of an object that could not be written tries once more when it is collected, and leaves its sockets to
    the next collection. Found in a later test, or after the last one, it fails what has nothing to do with it.
    """
    hook, sys.unraisablehook = sys.unraisablehook, lambda _: None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for _ in range(_COLLECTIONS):
                gc.collect()
    finally:
        sys.unraisablehook = hook

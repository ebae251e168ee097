"""Replacing a file or a folder so that a reader, or a crash, finds the old one or the new one, whole."""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
from pathlib import Path

_AT_FDCWD = -100
_RENAME_EXCHANGE_LINUX = 2
_RENAME_SWAP_MACOS = 2


def replace_file(new: Path, target: Path) -> None:
    """Put `new` (same file system) in the place of `target`, durably."""
    _sync(new)
    new.replace(target)
    _sync(target.parent)


def replace_folder(new: Path, target: Path) -> None:
    """Put the folder `new` (same file system) in the place of `target`, durably, and remove what was there.

    The two names are exchanged in one system call on Linux and macOS. A file system that cannot do that gets two
    renames, between which `target` does not exist for an instant; the old folder is then beside it, in `new`'s parent.
    """
    for file in new.rglob("*"):
        _sync(file)
    _sync(new)
    if not target.exists():
        new.rename(target)
    elif _exchange(new, target):
        shutil.rmtree(new)
    else:
        aside = new.with_name(new.name + "-previous")
        target.rename(aside)
        new.rename(target)
        shutil.rmtree(aside)
    _sync(target.parent)


def _exchange(one: Path, other: Path) -> bool:
    """Swap two names. False: this system or file system cannot."""
    libc = ctypes.CDLL(None, use_errno=True)
    names = (os.fsencode(one), os.fsencode(other))
    if sys.platform == "darwin" and hasattr(libc, "renamex_np"):
        return bool(libc.renamex_np(*names, _RENAME_SWAP_MACOS) == 0)
    if hasattr(libc, "renameat2"):
        return bool(libc.renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE_LINUX) == 0)
    return False


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

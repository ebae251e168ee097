"""Folders of whole files, on a local disk or in an object store: what machines pass to each other that share no disk.

An object store has no rename and no folders. So a file has a name of its own, is there whole or not at all, and is
never changed, but for the few that are replaced in one step (a manifest, a note). Which files count, another file says.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol

from pipelines.io.files.atomic import replace_file
from pipelines.io.files.beam_files import file_systems, is_local, open_file

_AT_ONCE = 8
"""Files that are copied at the same time: a small one is mostly waiting."""
_COPY_BYTES = 4 * 1024 * 1024


class StoredFile(NamedTuple):
    """A file: its name within the store, and when it was written, in seconds since the epoch by the store's clock."""

    name: str
    updated_seconds: float


class Store(Protocol):
    """Files by names, which may hold slashes. None is empty: Beam cannot write such a one to S3.

    Faults are the file system's own: OSError, or what Beam makes of them.
    """

    location: str

    def writing(self, name: str) -> AbstractContextManager[Path]:
        """A local path to write the file at; it is in the store once the block ends."""

    def fetch(self, names: Sequence[str], folder: Path) -> list[Path]:
        """The files as local ones, copied into the folder if they are not."""

    def read(self, name: str) -> bytes | None:
        """A small file's content; None: there is none of that name."""

    def write(self, name: str, content: bytes) -> None:
        """A small file, in one step: a reader finds the former content or this."""

    def list(self, under: str = "") -> list[StoredFile]:
        """The files whose names begin so, in no defined order."""

    def delete(self, names: Iterable[str]) -> None:
        """What is not there is deleted already."""


def open_store(location: str) -> Store:
    """The store at a local path or at one that Beam knows, such as gs://BUCKET/FOLDER. Nothing is looked at."""
    return LocalStore(location) if is_local(location) else ObjectStore(location)


class LocalStore:
    """A local folder."""

    def __init__(self, location: str) -> None:
        self.location = location
        self._folder = Path(location)

    @contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        """See `Store`. The file is written where it stays: until it is named somewhere nobody reads it."""
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        yield path

    def fetch(self, names: Sequence[str], folder: Path) -> list[Path]:
        """See `Store`."""
        return [self._folder / name for name in names]

    def read(self, name: str) -> bytes | None:
        """See `Store`."""
        try:
            return (self._folder / name).read_bytes()
        except FileNotFoundError:
            return None

    def write(self, name: str, content: bytes) -> None:
        """See `Store`."""
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as new:
            new.write(content)
        replace_file(Path(new.name), path)

    def list(self, under: str = "") -> list[StoredFile]:
        """See `Store`."""
        found = []
        for path in self._folder.rglob("*"):
            name = path.relative_to(self._folder).as_posix()
            try:
                if name.startswith(under) and path.is_file():
                    found.append(StoredFile(name, path.stat().st_mtime))
            except FileNotFoundError:  # somebody else is sweeping, too
                continue
        return found

    def delete(self, names: Iterable[str]) -> None:
        """See `Store`. Folders that are empty then go, too."""
        for name in names:
            path = self._folder / name
            path.unlink(missing_ok=True)
            for folder in path.relative_to(self._folder).parents:
                try:
                    (self._folder / folder).rmdir()
                except OSError:  # not empty, or gone
                    break


class ObjectStore:
    """A prefix in an object store, through Beam's file systems; credentials and endpoints are theirs."""

    def __init__(self, location: str) -> None:
        self.location = location.rstrip("/")

    @contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        """See `Store`. What breaks off half-way leaves no object, or one that nobody was told of."""
        with tempfile.TemporaryDirectory(prefix="tidemark-") as folder:
            path = Path(folder) / "file"
            yield path
            self._upload(path, name)

    def fetch(self, names: Sequence[str], folder: Path) -> list[Path]:
        """See `Store`. The copies are called by number: names in a store may hold what a path may not."""
        paths = [folder / f"fetched-{number:06}" for number, _ in enumerate(names)]
        folder.mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor(_AT_ONCE) as copies:
            for _ in copies.map(self._download, names, paths):
                pass
        return paths

    def read(self, name: str) -> bytes | None:
        """See `Store`."""
        path = self._path(name)
        if not file_systems().exists(path):
            return None
        with open_file(path) as file:
            return bytes(file.read())

    def write(self, name: str, content: bytes) -> None:
        """See `Store`."""
        with self.writing(name) as path:
            path.write_bytes(content)

    def list(self, under: str = "") -> list[StoredFile]:
        """See `Store`."""
        [found] = file_systems().match([f"{self._path(under)}**"])
        start = len(self.location) + 1
        return [StoredFile(one.path[start:], one.last_updated_in_seconds or 0.0) for one in found.metadata_list]

    def delete(self, names: Iterable[str]) -> None:
        """See `Store`."""
        paths = [self._path(name) for name in names]
        if paths:
            file_systems().delete(paths)

    def _path(self, name: str) -> str:
        return f"{self.location}/{name}"

    def _upload(self, path: Path, name: str) -> None:
        from apache_beam.io.filesystem import CompressionTypes

        target = file_systems().create(self._path(name), compression_type=CompressionTypes.UNCOMPRESSED)
        with path.open("rb") as source, target:
            shutil.copyfileobj(source, target, _COPY_BYTES)

    def _download(self, name: str, path: Path) -> None:
        with open_file(self._path(name)) as source, path.open("wb") as target:
            shutil.copyfileobj(source, target, _COPY_BYTES)

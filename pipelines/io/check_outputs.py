"""Looks at the place of an `--output` before a job starts: whether it can be written, and what would be lost.

Writing replaces a local output as a whole. So it is refused unless it is empty or ours: what it holds must say that we
wrote it, and have the shape of our tables. Nothing that is refused has been changed.

The libraries of a place are imported when it is looked into: what is wrong before that is told at once.
"""

from __future__ import annotations

import stat
import uuid
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

from pipelines.io.files.listing import list_files
from pipelines.io.locations import BigQueryInput, DuckDBInput, FileInput, InputLocation, WatchInput
from pipelines.io.outputs import BigQueryOutput, DuckDBOutput, FilesOutput, Output, StoreOutput
from schemas.errors import OutputError

_MOST_NAMED = 5
_ELSEWHERE = "Give another output"
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISREG, "a file"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)


def check_output(output: Output, inputs: Sequence[InputLocation] = (), *, bounded: bool = False) -> None:
    """Make sure, before a job starts, that an output can be written. Creates missing parent folders, datasets, tables.

    Args:
        output: the output.
        inputs: what the job reads: it must not be what it replaces.
        bounded: whether the job that will write it is a bounded one: into BigQuery it goes another way.

    Raises:
        OutputError: it cannot be written, or something would be lost.
    """
    _check_inputs(output, inputs)
    if isinstance(output, BigQueryOutput):
        if bounded and output.layout != "append":
            raise OutputError(f"output {output}: a bounded job writes the layout `append`, not {output.layout!r}")
        from pipelines.io.bigquery.tables import prepare_tables

        prepare_tables(output, bounded=bounded)
        return
    if isinstance(output, StoreOutput):
        if not bounded:
            raise OutputError(f"output {output}: a stream writes Parquet to a local disk only, or to bigquery:")
        return  # nothing of what is there is replaced but our own manifest: staging_place.py looks at it
    from pipelines.io.tables.staging import remove_abandoned

    check_place(output)
    _check_parent(output)
    remove_abandoned(output.target())


def check_place(output: DuckDBOutput | FilesOutput) -> None:
    """Refuses a local place that holds anything that Tidemark did not write.

    Raises:
        OutputError: it does, or is of the wrong kind.
    """
    target = output.target()
    try:
        kind = _kind(target)
        if isinstance(output, DuckDBOutput):
            _check_kind(output, kind, "a file", "the path of a DuckDB file")
            foreign = _foreign_in_database(output, target) if kind and target.stat().st_size else []
        else:
            _check_kind(output, kind, "a folder", "a folder")
            if target.is_mount():
                raise OutputError(f"output {output}: a file system is mounted there, expected a folder inside it")
            foreign = _foreign_in_folder(target) if kind else []
    except OSError as error:
        raise OutputError(f"output {output}: cannot be looked at: {error.strerror}") from error
    if foreign:
        raise OutputError(
            f"output {output}: holds what Tidemark did not write and would lose: {_some(foreign)}. {_ELSEWHERE}"
        )


def _kind(path: Path) -> str:
    """What is there, in words; "" for nothing."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return ""
    except NotADirectoryError:
        return ""  # whoever makes the parent folder says so
    return next((words for is_kind, words in _KINDS if is_kind(mode)), "something else")


def _check_kind(output: Output, kind: str, wanted: str, expected: str) -> None:
    if kind not in ("", wanted):
        raise OutputError(f"output {output}: is {kind}, expected {expected}")


def _foreign_in_folder(target: Path) -> list[str]:
    from pipelines.io.files.foreign import foreign_in_folder

    return list(foreign_in_folder(target))


def _foreign_in_database(output: DuckDBOutput, target: Path) -> list[str]:
    import duckdb

    from pipelines.io.duckdb.foreign import foreign_in_database

    try:
        return foreign_in_database(target)
    except duckdb.Error as error:
        reason = str(error).splitlines()[0]
        raise OutputError(
            f"output {output}: the file exists, and cannot be opened as a DuckDB database: {reason}"
        ) from error


def _check_parent(output: DuckDBOutput | FilesOutput) -> None:
    target = output.target()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        probe = target.parent / f".{target.name}.probe-{uuid.uuid4().hex}"
        probe.mkdir()
        probe.rmdir()
    except OSError as error:
        raise OutputError(f"output {output}: cannot write to {target.parent}: {error.strerror}") from error


def _check_inputs(output: Output, inputs: Iterable[InputLocation]) -> None:
    for location in inputs:
        if _is_read_by(output, location):
            raise OutputError(
                f"output {output}: --input {location.text} reads what this job would replace, and failed events and "
                f"receipts of erasure would be lost. {_ELSEWHERE}, and remove the old one when the new one is right"
            )


def _is_read_by(output: Output, location: InputLocation) -> bool:
    if isinstance(location, BigQueryInput):
        return isinstance(output, BigQueryOutput) and (output.project, output.dataset) == (
            location.project,
            location.dataset,
        )
    if isinstance(output, BigQueryOutput):
        return False
    if isinstance(output, StoreOutput):
        return isinstance(location, FileInput | WatchInput) and location.pattern.startswith(f"{output.location}/")
    target = output.target()
    if isinstance(location, DuckDBInput):
        return _same(Path(location.path), target)
    if isinstance(location, FileInput | WatchInput):
        return any(_same(path, target) or target in path.resolve().parents for path in _local_files(location))
    return False


def _same(one: Path, other: Path) -> bool:
    return one.resolve() == other or (one.exists() and other.exists() and one.samefile(other))


def _local_files(location: FileInput | WatchInput) -> Iterable[Path]:
    """Nothing is asked of other machines: what is there cannot be a local output."""
    if "://" in location.pattern:
        return ()
    files = location.files if isinstance(location, FileInput) else list_files(location.pattern, strict=False)
    return (Path(file.path) for file in files)


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(islice(names, _MOST_NAMED)) + more

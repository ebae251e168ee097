"""A note on a job's tables: what the segments ask for, and whether the job that writes them has come to its end.

| output | the note |
| --- | --- |
| a local one | a file named by the output's path, in `$XDG_STATE_HOME/tidemark/jobs` (`~/.local/state/tidemark/jobs`) |
| `files:gs://...` | `job.json` beside the manifest |
| `bigquery:P.D` | the last line of the description of `memberships_log` (`memberships` in the layout "cdc") |

Beside a local output there is nothing but the output. A bounded job replaces its tables at its end, all at once: until
then the old ones stand, and the note says that a job is at work. A stream publishes whole tables.
"""

from __future__ import annotations

import hashlib
import logging
import os
import socket
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import orjson

from pipelines.io.files.atomic import replace_file
from pipelines.io.files.store import open_store
from pipelines.io.outputs import BigQueryOutput, Output, StoreOutput, local_target
from schemas.bigquery import log_name
from schemas.tables import MEMBERSHIPS
from transforms.segments.language.ast import SegmentDefinition

_MARK = "\njob: "
_IN_STORE = "job.json"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class JobRecord:
    """What is known of the job whose tables stand.

    Attributes:
        consent: the purposes that each segment asks for.
        running_host: where a bounded job is at work on the next tables; "": nowhere.
        running_pid: its process there.
    """

    consent: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    running_host: str = ""
    running_pid: int = 0

    @property
    def obstacle(self) -> str:
        """Why nobody should act on the tables now; "" if nothing speaks against it."""
        if not self.running_host or (self.running_host == socket.gethostname() and not _is_alive(self.running_pid)):
            return ""
        return "a job is at work on them, and has not ended"


def note_start(output: Output) -> None:
    """A bounded job begins: the tables of the one before stand until it ends."""
    before = read_job(output) or JobRecord()
    _write(output, JobRecord(before.consent, socket.gethostname(), os.getpid()))


def note_end(output: Output, segments: Iterable[SegmentDefinition] | None) -> None:
    """A bounded job has ended with tables of these segments, or a stream begins to write them.

    None: the job failed, and the tables are those before.
    """
    before = read_job(output) or JobRecord()
    _write(output, JobRecord(before.consent) if segments is None else _of(segments))


def read_job(output: Output) -> JobRecord | None:
    """The note; None: there is none, as beside tables that something else has written."""
    if isinstance(output, BigQueryOutput):
        text = _description(output).partition(_MARK)[2]
    elif isinstance(output, StoreOutput):
        text = (open_store(output.location).read(_IN_STORE) or b"").decode()
    else:
        path = _path(output)
        text = path.read_text() if path.is_file() else ""
    try:
        found = orjson.loads(text)
        consent = {str(name): tuple(purposes) for name, purposes in found["consent"].items()}
        return JobRecord(consent, found["running_host"], found["running_pid"])
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return None


def _of(segments: Iterable[SegmentDefinition]) -> JobRecord:
    return JobRecord({segment.name: tuple(segment.consent) for segment in segments})


def _path(output: Output) -> Path:
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    place = hashlib.sha256(os.fsencode(local_target(output).resolve())).hexdigest()[:32]
    return Path(state) / "tidemark" / "jobs" / f"{place}.json"


def _write(output: Output, record: JobRecord) -> None:
    """Whatever is wrong with the note is no fault of the job's: its tables are what they should be."""
    text = orjson.dumps(asdict(record)).decode()
    try:
        if isinstance(output, BigQueryOutput):
            _describe(output, text)
        elif isinstance(output, StoreOutput):
            open_store(output.location).write(_IN_STORE, text.encode())
        else:
            _replace(_path(output), text)
    except (OSError, RuntimeError) as error:
        _not_noted(output, error)


def _not_noted(output: Output, error: Exception) -> None:
    logger.warning("%s: the job cannot be noted: %s", output, type(error).__name__)


def _replace(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.{os.getpid()}")
    new.write_text(text)
    replace_file(new, path)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _table(output: BigQueryOutput) -> str:
    name = MEMBERSHIPS.name if output.layout == "cdc" else log_name(MEMBERSHIPS)
    return f"{output.project}.{output.dataset}.{name}"


def _description(output: BigQueryOutput) -> str:
    from google.api_core.exceptions import GoogleAPICallError

    from pipelines.io.bigquery.service import NO_RETRY, REQUEST_SECONDS, rest_client

    try:
        table = rest_client(output.project).get_table(_table(output), retry=NO_RETRY, timeout=REQUEST_SECONDS)
    except GoogleAPICallError:
        return ""
    return table.description or ""


def _describe(output: BigQueryOutput, text: str) -> None:
    from google.api_core.exceptions import GoogleAPICallError

    try:
        _replace_description(output, text)
    except GoogleAPICallError as error:
        _not_noted(output, error)


def _replace_description(output: BigQueryOutput, text: str) -> None:
    from pipelines.io.bigquery.service import NO_RETRY, REQUEST_SECONDS, rest_client, retried

    client = rest_client(output.project)
    name = _table(output)
    table = retried("read the note", lambda: client.get_table(name, retry=NO_RETRY, timeout=REQUEST_SECONDS))
    table.description = (table.description or "").partition(_MARK)[0] + _MARK + text
    retried(
        "write the note", lambda: client.update_table(table, ["description"], retry=NO_RETRY, timeout=REQUEST_SECONDS)
    )

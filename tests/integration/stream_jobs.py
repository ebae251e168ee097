"""The streaming job as a process of its own: started, watched from outside, stopped or killed, started again."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import duckdb
import orjson

from schemas.tables import MEMBERSHIP_CHANGES, TABLES

ROOT = Path(__file__).parent.parent.parent
LOOK_SECONDS = 0.2
MOST_LOOKS = 400
MAY_DIFFER = ("version", "recorded_at", "completed_at", "source")
"""Columns that say when and from where, in which a stream's tables need not be a bounded job's; all others must be.
`membership_changes` is what was said on the way: it must come to the memberships (`sum_of_log`)."""
SAME = {
    table.name: tuple(name for name in table.column_names() if name not in MAY_DIFFER)
    for table in TABLES
    if table is not MEMBERSHIP_CHANGES
}
"""What of each table a stream must end with as a bounded job does."""

SEGMENTS = {
    "shoppers": "event('Product Viewed').within(300 days).count() >= 2",
    "buyers": "event('Order Completed').within(300 days).count() >= 1",
    "not_yet": "event('Product Added').count() >= 1 AND NOT event('Order Completed').count() >= 1",
}
"""Rules whose windows do not end while a test runs."""
OF_ACCOUNTS = {
    "companies_that_look": "ANY event('Product Viewed').within(300 days).count() >= 2",
    "companies_that_all_look": "ALL(activity().within(300 days).count() >= 1) AND trait('size') > 1",
}

_ID = re.compile(rb'"messageId":"([^"]+)"')
_USER, _TIMESTAMP = re.compile(rb'"userId":"(u_[0-9]+)"'), re.compile(rb'"timestamp":"([^"]+)"')


def write_segments(folder: Path) -> Path:
    folder.mkdir()
    for name, rule in SEGMENTS.items():
        (folder / f"{name}.yaml").write_text(f"when: >\n  {rule}\n")
    for name, rule in OF_ACCOUNTS.items():
        (folder / f"{name}.yaml").write_text(f"of: accounts\nwhen: >\n  {rule}\n")
    return folder


def with_companies(messages: Iterable[bytes]) -> Iterator[bytes]:
    """The messages, and one that puts the user into one of two companies after the first that names the user."""
    seen: set[str] = set()
    for message in messages:
        yield message
        found = _USER.search(message), _TIMESTAMP.search(message)  # some are broken
        if found[0] is not None and found[1] is not None and found[0][1].decode() not in seen:
            user, timestamp = found[0][1].decode(), found[1][1].decode()
            seen.add(user)
            company = {"groupId": f"company_{len(seen) % 2}", "traits": {"size": len(seen)}}
            put_in = {"messageId": f"group-{user}", "type": "group", "userId": user, "timestamp": timestamp}
            yield orjson.dumps(put_in | company)


def with_second_thoughts(messages: Iterable[bytes]) -> Iterator[bytes]:
    """The messages, and what takes back: retracts of events, users who are deleted, and some who are one.

    All of it about the past, so that much moves whatever comes first.
    """
    users: list[str] = []
    for number, message in enumerate(messages):
        yield message
        found = _USER.search(message), _TIMESTAMP.search(message), _ID.search(message)
        if found[0] is None or found[1] is None or found[2] is None:
            continue
        user, at = found[0][1].decode(), found[1][1].decode()
        if user not in users:
            users.append(user)
        if number % 25 == 0:
            said = {"type": "retract", "messageId": f"retract-{number}", "retracts": found[2][1].decode()}
            yield orjson.dumps(said | {"timestamp": at})
        if number % 90 == 60:
            yield orjson.dumps({"type": "delete", "messageId": f"delete-{number}", "userId": user, "timestamp": at})
        if number % 40 == 30 and users[-1] != users[0]:
            said = {"type": "alias", "messageId": f"alias-{number}", "previousId": users[-1], "userId": users[0]}
            yield orjson.dumps(said | {"timestamp": at})


def job_command(inputs: Sequence[str], segments: Path, output: str, prism: Path) -> list[str]:
    """The command line of a streaming job that is quick to write and to call an input idle."""
    given = [argument for location in inputs for argument in ("--input", location)]
    options = ["--write_every", "1 second", "--out_of_orderness", "1 second", "--idle_timeout", "2 seconds"]
    return [
        *(sys.executable, "-m", "pipelines.profiles", *given, "--segments", str(segments)),
        *("--output", output, f"--prism_location={prism}", *options),
    ]


class StreamJob:
    """`python -m pipelines.profiles` on inputs without end.

    Writes to the DuckDB file `output`, or to `location`; its log stands beside `output` either way.
    """

    def __init__(
        self, inputs: Sequence[str], segments: Path, output: Path, prism: Path, *more: str, location: str = ""
    ) -> None:
        self.output = output
        self._log = output.with_suffix(".log").open("ab")
        # A session of its own, so that Prism, which it starts, can be killed with it.
        self._process = subprocess.Popen(
            [*job_command(inputs, segments, location or f"duckdb:{output}", prism), *more],
            cwd=ROOT,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.kill()
        self._log.close()

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Looks again and again while the job runs."""
        for _ in range(MOST_LOOKS):
            if condition():
                return
            try:
                status = self._process.wait(LOOK_SECONDS)
            except subprocess.TimeoutExpired:
                continue
            raise AssertionError(f"the job ended with {status}:\n{self.log()}")
        raise AssertionError(f"it never came; the job says:\n{self.log()}")

    def kill(self) -> None:
        """SIGKILL, for the job and for its Prism."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def stop(self, by: signal.Signals = signal.SIGINT) -> int:
        """Ctrl-C, or another signal; returns the exit status."""
        self._process.send_signal(by)
        return self.wait()

    def wait(self) -> int:
        """Until it ends; returns the exit status."""
        return self._process.wait(60)

    @property
    def pid(self) -> int:
        return self._process.pid

    def log(self) -> str:
        return self.output.with_suffix(".log").read_text()


def ask(output: Path, query: str) -> list[tuple[Any, ...]]:
    """Rows of the published tables; none where nothing is published."""
    if not output.exists():
        return []
    with duckdb.connect(str(output), read_only=True) as connection:
        return connection.execute(query).fetchall()


def messages_written(output: Path) -> int:
    """How many messages are in the results or in failed_events."""
    rows = ask(output, "SELECT (SELECT count(*) FROM events) + (SELECT count(*) FROM failed_events)")
    return int(rows[0][0]) if rows else 0


def tables(output: Path) -> dict[str, list[str]]:
    """What must be the same in a stream and in a bounded job, in an order of its own."""
    found = {}
    for table, columns in SAME.items():
        wanted = ", ".join(f'"{name}"' for name in columns)
        found[table] = sorted(map(repr, ask(output, f"SELECT {wanted} FROM {table}")))  # noqa: S608 - names of our own
    return found


def stays(output: Path) -> list[tuple[Any, ...]]:
    """Each membership, by its entry."""
    return ask(output, "SELECT profile_id, segment, entered_at FROM memberships ORDER BY ALL")


def stays_told(output: Path) -> list[tuple[Any, ...]]:
    """The memberships that the log tells: told once more often than taken back."""
    query = """
        SELECT profile_id, segment, "at" FROM membership_changes WHERE change <> 'exited'
        GROUP BY ALL HAVING sum(if(change = 'entered', 1, -1)) = 1 ORDER BY ALL
    """
    return ask(output, query)


def run_batch(inputs: Sequence[str], segments: Path, output: Path) -> None:
    """The bounded job over the same events."""
    given = [argument for location in inputs for argument in ("--input", location)]
    command = [sys.executable, "-m", "pipelines.profiles", *given, "--segments", str(segments)]
    done = subprocess.run(
        [*command, "--output", f"duckdb:{output}"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr

"""A small world to activate: tables, destinations, made-up vendors without a network, and a run that can be killed."""

from __future__ import annotations

import datetime
import functools
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import duckdb
import httpx
import pytest

from pipelines.activation import run as activation_run
from pipelines.activation.planning import Request
from pipelines.activation.run import Place, Result, run_all
from pipelines.activation.tables import ActivationTables
from pipelines.io.destinations.base import Surroundings
from pipelines.io.destinations.client import Clock
from pipelines.io.ledger import Ledger, Row
from pipelines.io.outputs import DuckDBOutput
from schemas.duckdb import create_all
from schemas.ledger import ACTIVATIONS
from schemas.tables import DELETIONS, EVENTS, MEMBERSHIPS, PROFILES, TABLES, Table
from services.vendors.vendor import ConnectionLostError, Vendor
from transforms.activation.destination import Destination
from transforms.activation.rows import Activation

AS_OF_US = 1_782_820_800_000_000


class Killed(BaseException):
    """The process is gone."""


@dataclass
class Kill:
    """Ends the run before or after the n-th of something; never by default."""

    at: int = -1
    after: bool = False
    seen: int = 0

    def around(self, call: Callable[[], Any]) -> Any:
        number, self.seen = self.seen, self.seen + 1
        if number == self.at and not self.after:
            raise Killed
        answer = call()
        if number == self.at:
            raise Killed
        return answer


class Stopwatch:
    """A clock that goes on only when somebody sleeps."""

    def __init__(self) -> None:
        self.seconds = 1_800_000_000.0

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds

    def clock(self) -> Clock:
        return Clock(lambda: self.seconds, self.sleep, lambda: self.seconds)


@dataclass
class Someone:
    """A profile as a test names it. `segments` are those that it is in."""

    email: str | None = None
    segments: tuple[str, ...] = ()
    traits: dict[str, Any] = field(default_factory=lambda: {"consent": {"marketing": True}})
    first_name: str | None = None
    computed: dict[str, Any] = field(default_factory=dict)
    last_seen_at: int = AS_OF_US
    merged_into: str | None = None


def transport(vendors: Mapping[str, Vendor], kill: Kill) -> httpx.BaseTransport:
    """The network: each vendor by its host."""

    def handle(request: httpx.Request) -> httpx.Response:
        def ask() -> httpx.Response:
            headers = {name.lower(): value for name, value in request.headers.items()}
            query = request.url.query.decode()
            path = request.url.raw_path.decode().partition("?")[0]
            try:
                status, body, more = vendors[request.url.host].answer(
                    request.method, path, query, headers, request.content
                )
            except ConnectionLostError:
                raise httpx.ReadError("ordered", request=request) from None
            content = b"" if body is None else json.dumps(body).encode()
            return httpx.Response(status, headers=dict(more), content=content)

        return kill.around(ask)  # type: ignore[no-any-return]

    return httpx.MockTransport(handle)


class World:
    """Tables that a test changes as it likes, and runs over them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monkeypatch = monkeypatch
        self.people: dict[str, Someone] = {}
        self.said: list[tuple[str, str, dict[str, Any]]] = []
        self.deleted: list[str] = []
        self.vendors: dict[str, Vendor] = {}
        self.watch = Stopwatch()
        self.ledger = MemoryLedger()

    def write(self) -> duckdb.DuckDBPyConnection:
        """The tables, as a job would have written them."""
        rows: dict[str, list[dict[str, Any]]] = {
            PROFILES.name: [_profile(profile_id, someone) for profile_id, someone in self.people.items()],
            MEMBERSHIPS.name: [_membership(one, s) for one, someone in self.people.items() for s in someone.segments],
            EVENTS.name: [_event(number, *said) for number, said in enumerate(self.said)],
            DELETIONS.name: [_deletion(number, user_id) for number, user_id in enumerate(self.deleted)],
        }
        connection = _tables()
        for table, of_table in rows.items():
            connection.execute(f'DELETE FROM "{table}"')  # noqa: S608
            if of_table:
                names, marks = ", ".join(f'"{name}"' for name in of_table[0]), ", ".join("?" * len(of_table[0]))
                all_marks = ", ".join([f"({marks})"] * len(of_table))
                values = [value for row in of_table for value in row.values()]
                connection.execute(f'INSERT INTO "{table}" ({names}) VALUES {all_marks}', values)  # noqa: S608
        return connection

    def run(
        self,
        *destinations: Destination,
        requests: Kill | None = None,
        commits: Kill | None = None,
        **asked: Any,
    ) -> list[Result]:
        """Writes the tables and activates once."""
        tables = ActivationTables(self.write())
        with self.monkeypatch.context() as patched:
            patched.setattr(
                activation_run, "open_ledger", lambda _: nullcontext(_Counted(self.ledger, commits or Kill()))
            )
            patched.setattr(activation_run, "open_activation_tables", lambda _: nullcontext(tables))
            surroundings = Surroundings(self.watch.clock(), transport(self.vendors, requests or Kill()))
            nowhere = DuckDBOutput("nowhere")
            place = Place(nowhere, nowhere, surroundings)
            request = Request(consent={"news": ("marketing",)}, **asked)
            results: list[Result] = []
            for one in destinations:
                results += run_all([one], place, request)
            return results

    def rows(self, destination: str) -> dict[tuple[str, str], Activation]:
        """The ledger."""
        found = [Activation(*row) for row in self.ledger.read(ACTIVATIONS, destination=destination)]
        return {row.key: row for row in found}

    def asked(self) -> int:
        """Requests that all vendors were asked so far."""
        return sum(len(vendor.asked) for vendor in self.vendors.values())

    def violations(self) -> list[str]:
        """What was against the vendors' schemas."""
        return [text for vendor in self.vendors.values() for text in vendor.violations]

    def wanted(self, segment: str) -> set[str]:
        """Addresses of the members who agreed and did not say no: by brute force."""
        said_no = {profile_id for profile_id, _, _ in self.said}
        lost = {(self.people[one].email or "").lower() for one in said_no if one in self.people}
        agreed = {
            one.email.lower()
            for profile_id, one in self.people.items()
            if one.email and segment in one.segments and profile_id not in said_no
            if one.traits.get("consent", {}).get("marketing") is True
            if profile_id.removeprefix("user:") not in self.deleted
        }
        return agreed - lost


@functools.cache
def _tables() -> duckdb.DuckDBPyConnection:
    """All tables, in memory."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(create_all(TABLES))
    return connection


class MemoryLedger(Ledger):
    """A ledger that costs nothing; a write is whole or not at all, as in a file (tests/ledger/)."""

    def __init__(self) -> None:
        self._rows: dict[Table, dict[Row, Row]] = {}

    def read(self, table: Table, **values: str) -> list[Row]:
        places = {table.column_names().index(name): value for name, value in values.items()}
        rows = sorted(self._rows.get(table, {}).items())
        return [row for _, row in rows if all(row[place] == value for place, value in places.items())]

    def write(self, rows: Mapping[Table, Iterable[Row]], gone: Mapping[Table, Iterable[Row]] | None = None) -> None:
        for table, keys in (gone or {}).items():
            for key in keys:
                self._rows.setdefault(table, {}).pop(tuple(key), None)
        for table, of_table in rows.items():
            places = [table.column_names().index(name) for name in table.key]
            self._rows.setdefault(table, {}).update({tuple(row[p] for p in places): tuple(row) for row in of_table})

    def forget(self) -> None:
        """All of it."""
        self._rows.clear()


class _Counted(Ledger):
    """A ledger whose writes can be the last thing that happens."""

    def __init__(self, ledger: Ledger, commits: Kill) -> None:
        self._ledger, self._commits = ledger, commits

    def read(self, table: Any, **values: str) -> Any:
        return self._ledger.read(table, **values)

    def write(self, rows: Mapping[Any, Iterable[Row]], gone: Mapping[Any, Iterable[Row]] | None = None) -> None:
        self._commits.around(lambda: self._ledger.write(rows, gone))


def mailchimp(segments: Sequence[str] = ("news",), **more: Any) -> Destination:
    settings = {"server": "http://mailchimp", "list": "abc123", "api_key": "key", **more.pop("settings", {})}
    fields = more.pop("fields", {"FNAME": "first_name"})
    return Destination("letters", "mailchimp", settings, tuple(segments), fields, **more)


def hubspot(segments: Sequence[str] = ("news",), **more: Any) -> Destination:
    settings = {"url": "http://hubspot", "token": "token"}
    fields = more.pop("fields", {"firstname": "first_name"})
    return Destination("crm", "hubspot", settings, tuple(segments), fields, **more)


def _profile(profile_id: str, someone: Someone) -> dict[str, Any]:
    kind, _, name = profile_id.partition(":")
    return {
        "profile_id": profile_id,
        "user_id": name if kind == "user" else None,
        "anonymous_ids": [],
        "email": someone.email,
        "first_name": someone.first_name,
        "traits": json.dumps(someone.traits),
        "computed": json.dumps(someone.computed),
        "segments": list(someone.segments),
        "last_seen_at": _instant(someone.last_seen_at),
        "event_count": 1,
        "merged_into": someone.merged_into,
        "version": 1,
        "recorded_at": _instant(AS_OF_US),
        "tags": [],
    }


def _membership(profile_id: str, segment: str) -> dict[str, Any]:
    return {
        "profile_id": profile_id,
        "segment": segment,
        "entered_at": _instant(AS_OF_US - 1_000_000),
        "segment_version": "v",
        "message_ids": [],
        "exit_message_ids": [],
        "recorded_at": _instant(AS_OF_US),
    }


def _event(number: int, profile_id: str, event: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "message_id": f"m{number}",
        "profile_id": profile_id,
        "type": "track",
        "event": event,
        "timestamp": _instant(AS_OF_US - 5_000_000 + number),
        "properties": json.dumps(properties),
    }


def _deletion(number: int, user_id: str) -> dict[str, Any]:
    return {
        "receipt_id": f"r{number}",
        "id_hash": hashlib.sha256(user_id.encode()).hexdigest(),
        "requested_at": _instant(AS_OF_US),
        "completed_at": _instant(AS_OF_US),
        "counts": "{}",
    }


def _instant(us: int) -> Any:
    return datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(microseconds=us)

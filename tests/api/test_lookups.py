"""Who is in which segment: never somebody whose time has passed, by whatever id they are asked for."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from api import live
from api.services import Services
from pipelines.io.cache.layout import Found, Membership
from pipelines.io.cache.location import parse_cache
from pipelines.io.cache.reader import AsyncCacheReader
from pipelines.io.outputs import DuckDBOutput
from tests.api.made_tables import HOUR, NOW, change, link, profile, stay, write_tables
from tests.api.served import COLLECT, READ, basic, listening, options, run

PEOPLE = [
    profile("user:u1", first_name="Ada", birthday="1990-02-03", segments=["buyers", "lookers", "gone"]),
    profile("user:old", merged_into="user:u1"),
    profile("user:u2"),
    profile("anon:d2"),
    stay("user:u1", "buyers", NOW - 5 * HOUR),
    stay("user:u1", "lookers", NOW - 5 * HOUR, expires=NOW + HOUR),
    stay("user:u1", "gone", NOW - 9 * HOUR, expires=NOW),
    stay("user:u1", "left", NOW - 9 * HOUR, exited=NOW - 8 * HOUR),
    stay("user:u2", "buyers", NOW - 2 * HOUR, exited=NOW - HOUR),
    stay("anon:d2", "lookers", NOW - HOUR, expires=NOW + 2 * HOUR),
    link("d1", "u2", NOW - 9 * HOUR),
    link("d1", "u1", NOW - 5 * HOUR),
]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("people") / "out.duckdb"
    write_tables(path, PEOPLE)
    return path


@pytest.fixture
def tables(tmp_path: Path, written: Path) -> Path:
    return shutil.copy(written, tmp_path / "out.duckdb")


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Services, "now_us", lambda _self: NOW)


def get(tables: Path, *paths: str, key: str = READ, **more: Any) -> list[httpx.Response]:
    given = options(tables.parent / "spool", tables=DuckDBOutput(str(tables)), **more)

    async def story(client: httpx.AsyncClient) -> list[httpx.Response]:
        return [await client.get(path, auth=basic(key)) for path in paths]

    return run(given, story)


@pytest.mark.parametrize("name", ["user:u1", "u1", "d1", "anon:d1", "user:old", "old"])
def test_a_person_is_found_by_any_of_their_ids(tables: Path, name: str) -> None:
    found, segments = (one.json() for one in get(tables, f"/profiles/{name}", f"/profiles/{name}/segments"))
    assert found["profile_id"] == segments["profile_id"] == "user:u1"
    assert (found["first_name"], found["birthday"], found["traits"]) == ("Ada", "1990-02-03", {"plan": "gold"})
    assert found["segments"] == ["buyers", "lookers"], "not what has expired, although the row says so"
    assert [(one["segment"], one["expires_at"]) for one in segments["segments"]] == [
        ("buyers", None),
        ("lookers", "2026-06-30T13:03:00.000000Z"),
    ]


def test_nobody_is_404(tables: Path) -> None:
    for response in get(tables, "/profiles/nobody", "/profiles/nobody/segments", "/profiles/'; drop table profiles"):
        assert (response.status_code, response.json()["code"]) == (404, "not_found")


def test_only_a_key_that_may_read_reads(tables: Path) -> None:
    paths = ("/profiles/u1", "/profiles/u1/segments", "/segments/buyers/members")
    assert {response.status_code for response in get(tables, *paths, key=COLLECT)} == {403}
    assert {response.status_code for response in get(tables, *paths, key="no")} == {401}


def ids(response: httpx.Response) -> list[str]:
    return [member["profile_id"] for member in response.json()["members"]]


def test_members_now_and_then(tables: Path) -> None:
    now, then, noon = get(
        tables,
        "/segments/buyers/members",
        f"/segments/buyers/members?at={datetime.fromtimestamp((NOW - HOUR) / 1e6 - 1, UTC).isoformat()}",
        "/segments/gone/members",
    )
    assert (ids(now), ids(then), ids(noon)) == (["user:u1"], ["user:u1", "user:u2"], [])


def test_members_come_in_pages(tables: Path) -> None:
    first, second = get(tables, "/segments/lookers/members?limit=1", "/segments/lookers/members?limit=1&after=anon:d2")
    assert (ids(first), first.json()["next"]) == (["anon:d2"], "anon:d2")
    assert (ids(second), second.json()["next"]) == (["user:u1"], None)


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "limit=1001", "limit=²", "at=yesterday", "at=2026-01-01"])
def test_a_wrong_question_is_400(tables: Path, query: str) -> None:
    (response,) = get(tables, f"/segments/lookers/members?{query}")
    assert (response.status_code, response.json()["code"]) == (400, response.json()["code"])
    assert response.json()["message"]


def test_tables_that_are_not_there_yet_are_503_and_new_ones_are_seen(tmp_path: Path) -> None:
    path = tmp_path / "later.duckdb"

    async def story(client: httpx.AsyncClient) -> None:
        early = await client.get("/profiles/u1", auth=basic(READ))
        assert (early.status_code, early.headers["Retry-After"]) == (503, "1")
        for plan in ("gold", "silver"):
            write_tables(path, [profile("user:u1", traits=f'{{"plan": "{plan}"}}')])
            assert (await client.get("/profiles/u1", auth=basic(READ))).json()["traits"] == {"plan": plan}

    run(options(tmp_path / "spool", tables=DuckDBOutput(str(path))), story)


def test_without_tables_or_cache_it_says_so(tmp_path: Path) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        response = await client.get("/profiles/u1", auth=basic(READ))
        assert (response.status_code, "--tables" in response.json()["message"]) == (503, True)

    run(options(tmp_path), story)


def test_with_a_cache_alone_what_it_does_not_know_asks_for_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def segments_of(_reader: object, identifier: str, _now_us: int) -> Found | None:
        return Found("user:u1", (Membership("cached", 5, NOW + 1),)) if identifier == "d1" else None

    monkeypatch.setattr(AsyncCacheReader, "segments_of", segments_of)

    async def story(client: httpx.AsyncClient) -> None:
        told = await client.get("/profiles/d1", auth=basic(READ))
        assert told.json() == {"profile_id": "user:u1", "segments": ["cached"]}
        for path, why in {"/segments/cached/members": "--tables", "/profiles/x/segments": "does not answer"}.items():
            refused = await client.get(path, auth=basic(READ))
            assert (refused.status_code, why in refused.json()["message"]) == (503, True), path
            assert int(refused.headers["Retry-After"]) > 0

    run(options(tmp_path, cache=parse_cache("redis://h:1")), story)


def test_the_cache_answers_first_and_the_tables_where_it_is_silent(
    tables: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = Found("user:u1", (Membership("cached", 5, NOW + 1),))

    async def segments_of(_reader: object, identifier: str, _now_us: int) -> Found:
        return entry if identifier == "d1" else Found(None)

    monkeypatch.setattr(AsyncCacheReader, "segments_of", segments_of)
    cached, table, nobody = get(
        tables,
        "/profiles/d1/segments",
        "/profiles/d2/segments",
        "/profiles/x/segments",
        cache=parse_cache("redis://h:1"),
    )
    assert [one["segment"] for one in cached.json()["segments"]] == ["cached"]
    assert [one["segment"] for one in table.json()["segments"]] == ["lookers"]
    assert nobody.status_code == 404


def test_a_cache_that_is_away_costs_no_answer(tables: Path) -> None:
    (response,) = get(tables, "/profiles/u1/segments", cache=parse_cache("redis://127.0.0.1:1/0"))
    assert [one["segment"] for one in response.json()["segments"]] == ["buyers", "lookers"]


@pytest.fixture
def port(tables: Path) -> Iterator[int]:
    with listening(options(tables.parent / "spool", tables=DuckDBOutput(str(tables)))) as port:
        yield port


def listen(port: int, query: str = "", **more: Any) -> ClientConnection:
    headers = {} if more else {"Authorization": f"Bearer {READ}"}
    return connect(f"ws://127.0.0.1:{port}/live{query}", additional_headers=headers, proxy=None, **more)


def heard(socket: ClientConnection, count: int) -> list[Any]:
    return [json.loads(socket.recv(10))["change_id"] for _ in range(count)]


def test_a_change_is_told_to_who_listens_for_it(tables: Path, port: int) -> None:
    former = [*PEOPLE, change(1, "user:u1", "buyers")]
    write_tables(tables, former)
    protocols = [Subprotocol("tidemark"), Subprotocol(f"key.{READ}")]
    with (
        listen(port, "?segment=buyers") as segment,
        listen(port, "?profile=d1") as person,
        listen(port, subprotocols=protocols) as browser,
    ):
        assert browser.subprotocol == "tidemark"
        news = [change(2, "user:u2", "buyers"), change(3, "user:u1", "lookers"), change(4, "user:u1", "buyers")]
        write_tables(tables, [*former, *news])
        assert heard(segment, 2) == ["c2", "c4"]
        assert heard(person, 2) == ["c3", "c4"]
        assert heard(browser, 3) == ["c2", "c3", "c4"]
        write_tables(tables, [*PEOPLE, *news, change(5, "user:u1", "buyers")])
        told = json.loads(person.recv(10))
        assert told["change_id"] == "c5", "each once, however often the tables are written"
        assert (told["change"], told["message_ids"], told["at"][-1]) == ("entered", ["m"], "Z")


def test_who_comes_again_hears_what_they_missed(tables: Path, port: int) -> None:
    write_tables(tables, [*PEOPLE, *(change(n, "user:u1", "buyers", NOW + n * HOUR) for n in range(4))])
    since = datetime.fromtimestamp((NOW + HOUR) / 1e6, UTC).isoformat().replace("+00:00", "Z")
    with listen(port, f"?since={since}") as socket:
        assert heard(socket, 2) == ["c2", "c3"]


@pytest.mark.parametrize(("key", "status"), [(COLLECT, 403), ("no", 401)])
def test_nobody_listens_without_a_key(port: int, key: str, status: int) -> None:
    with pytest.raises(InvalidStatus) as denied:
        listen(port, subprotocols=[Subprotocol(f"key.{key}")])
    assert denied.value.response.status_code == status


def test_who_reads_too_slowly_is_let_go(tables: Path, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MOST_WAITING", 2)
    with listen(port) as socket:
        write_tables(tables, [*PEOPLE, *(change(n, "user:u1", "buyers") for n in range(5))])
        assert heard(socket, 2) == ["c0", "c1"]
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(10)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == live.TOO_SLOW

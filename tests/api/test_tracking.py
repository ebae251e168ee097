"""The tracking API, as Segment's and RudderStack's clients use it."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.routes import ROUTES
from tests.api.served import COLLECT, READ, SHOP, SLOW, UPDATE, ask, basic, kept, options, run
from transforms.collect.bodies import MAX_BODY_BYTES
from transforms.collect.pixel import IMAGE

EVENT = {"userId": "u1", "event": "Product Viewed", "messageId": "m1", "timestamp": "2026-03-01T12:00:00Z"}


def refusal(response: httpx.Response, status: int, code: str) -> None:
    """Old clients retry for ever what lacks one of the two fields."""
    assert response.status_code == status, response.text
    body = response.json()
    assert (body["code"], bool(body["message"])) == (code, True)


@pytest.mark.parametrize("name", ["track", "identify", "page", "screen", "group", "alias"])
def test_each_type_is_taken_under_its_name_and_its_letter(tmp_path: Path, name: str) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        for number, path in enumerate((f"/v1/{name}", f"/v1/{name[0]}", f"/v1/{name}/")):
            done = await client.post(path, json={**EVENT, "messageId": str(number)}, auth=basic(COLLECT))
            assert (done.status_code, done.json()) == (200, {"success": True})

    run(options(tmp_path), story)
    assert [(event["type"], event["messageId"]) for event in kept(tmp_path)] == [(name, "0"), (name, "1"), (name, "2")]
    assert all(event["receivedAt"].endswith("Z") for event in kept(tmp_path))


def test_a_batch_shares_what_stands_beside_it(tmp_path: Path) -> None:
    batch = {
        "batch": [
            {"type": "track", "event": "A", "userId": "u", "context": {"locale": "de"}, "_metadata": {"retryCount": 1}},
            {"type": "page", "anonymousId": "a", "writeKey": COLLECT, "messageId": "m2"},
            "no object",
        ],
        "context": {"locale": "en", "library": {"name": "x"}},
        "integrations": {"All": True},
        "sentAt": "2026-03-01T12:00:00Z",
        "writeKey": COLLECT,
    }
    assert ask(options(tmp_path), "POST", "/v1/batch", json=batch).status_code == 200
    first, second, third = kept(tmp_path)
    assert first["context"] == {"locale": "de", "library": {"name": "x"}}
    assert second["context"] == {"locale": "en", "library": {"name": "x"}}
    assert {first["sentAt"], second["sentAt"]} == {"2026-03-01T12:00:00Z"}
    assert first["messageId"].startswith("api-")
    assert second["messageId"] == "m2"
    assert not {"writeKey", "_metadata"} & (first.keys() | second.keys())
    assert third == "no object", "what is no event is kept, and fails in the job"


@pytest.mark.parametrize(
    "given",
    [
        {"auth": basic(COLLECT)},
        {"headers": {"Authorization": "Basic " + base64.b64encode(COLLECT.encode()).decode()}},
        {"headers": {"Authorization": f"Bearer {COLLECT}"}},
        {"params": {"writeKey": COLLECT}},
        {"json": {"writeKey": COLLECT}},
        {"json": {"writeKey": COLLECT}, "headers": {"Authorization": "Basic Og=="}},
    ],
)
def test_a_key_is_found_wherever_clients_put_it(tmp_path: Path, given: dict[str, Any]) -> None:
    body = {**EVENT, **given.pop("json", {})}
    assert ask(options(tmp_path), "POST", "/v1/track", content=json.dumps(body), **given).status_code == 200
    assert len(kept(tmp_path)) == 1


@pytest.mark.parametrize(
    ("given", "status", "code"),
    [
        ({}, 401, "unauthorized"),
        ({"auth": basic("no")}, 401, "unauthorized"),
        ({"auth": basic(READ)}, 403, "forbidden"),
    ],
)
def test_without_a_key_that_may_nothing_is_kept(tmp_path: Path, given: dict[str, Any], status: int, code: str) -> None:
    refusal(ask(options(tmp_path), "POST", "/v1/track", json=EVENT, **given), status, code)
    assert kept(tmp_path) == []


@pytest.mark.parametrize(
    ("content", "headers", "status", "code"),
    [
        (b'{"userId', {}, 400, "malformed_json"),
        (b"", {}, 400, "malformed_json"),
        (b"\xff\xfe", {}, 400, "malformed_json"),
        (b"NaN", {}, 400, "malformed_json"),
        (b"[" * 100_000, {}, 400, "malformed_json"),
        (b'{"properties":' + b"[" * 1000 + b"]" * 1000 + b"}", {}, 400, "malformed_json"),
        (b"x" * (MAX_BODY_BYTES + 1), {}, 413, "too_large"),
        (gzip.compress(b" " * (MAX_BODY_BYTES + 1), mtime=0), {"Content-Encoding": "gzip"}, 413, "too_large"),
        (gzip.compress(b"{}", mtime=0)[:-4], {"Content-Encoding": "gzip"}, 400, "malformed_encoding"),
        (b"{}", {"Content-Encoding": "gzip"}, 400, "malformed_encoding"),
        (b"{}", {"Content-Encoding": "br"}, 415, "unsupported_encoding"),
    ],
)
def test_what_cannot_be_read_is_refused(
    tmp_path: Path, content: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    refusal(
        ask(options(tmp_path), "POST", "/v1/track", content=content, headers=headers, auth=basic(COLLECT)), status, code
    )
    assert kept(tmp_path) == []


@pytest.mark.parametrize("body", [b"{}", b"[]", b'{"batch": {}}', b'{"batch": null}'])
def test_a_batch_without_a_list_is_refused(tmp_path: Path, body: bytes) -> None:
    refusal(ask(options(tmp_path), "POST", "/v1/b", content=body, auth=basic(COLLECT)), 400, "no_batch")


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (gzip.compress(json.dumps(EVENT).encode()), {"Content-Encoding": "gzip"}),
        (gzip.compress(json.dumps(EVENT).encode()), {"Content-Type": "application/x-www-form-urlencoded"}),
        (zlib.compress(json.dumps(EVENT).encode()), {"Content-Encoding": "deflate"}),
        (zlib.compress(json.dumps(EVENT).encode(), wbits=-15), {"Content-Encoding": "deflate"}),
        (json.dumps(EVENT).encode(), {"Content-Type": "text/plain"}),
    ],
)
def test_bodies_are_read_by_their_encoding_and_never_by_their_type(
    tmp_path: Path, content: bytes, headers: dict[str, str]
) -> None:
    assert (
        ask(options(tmp_path), "POST", "/v1/track", content=content, headers=headers, auth=basic(COLLECT)).status_code
        == 200
    )
    assert kept(tmp_path)[0]["event"] == "Product Viewed"


def test_half_a_surrogate_pair_costs_nobody_else_their_event(tmp_path: Path) -> None:
    batch = b'{"batch":[{"type":"track","event":"\\ud83d","userId":"u"},{"type":"page","userId":"u"}]}'
    assert ask(options(tmp_path), "POST", "/v1/batch", content=batch, auth=basic(COLLECT)).status_code == 200
    lines = [line for file in tmp_path.glob("*.ndjson") for line in file.read_bytes().splitlines()]
    assert [json.loads(line)["type"] for line in lines] == ["track", "page"]


@pytest.mark.parametrize("name", ["delete", "retract"])
def test_a_key_that_everybody_can_read_takes_nothing_away(tmp_path: Path, name: str) -> None:
    batch = {"batch": [{"type": "page", "userId": "u"}, {"type": name, "userId": "u"}]}
    refusal(ask(options(tmp_path), "POST", "/v1/batch", json=batch, auth=basic(COLLECT)), 403, "forbidden")
    assert kept(tmp_path) == []
    assert ask(options(tmp_path), "POST", "/v1/batch", json=batch, auth=basic(UPDATE)).status_code == 200
    assert len(kept(tmp_path)) == 2


def test_too_much_is_told_when_to_come_again(tmp_path: Path) -> None:
    async def story(client: httpx.AsyncClient) -> list[httpx.Response]:
        return [await client.post("/v1/track", json=EVENT, auth=basic(SLOW)) for _ in range(3)]

    first, *rest = run(options(tmp_path), story)
    assert first.status_code == 200
    for response in rest:
        refusal(response, 429, "too_many_requests")
        assert int(response.headers["Retry-After"]) >= 1


PIXEL = json.dumps({"writeKey": COLLECT, "event": "Email Opened", "userId": "ü??>", "properties": {"a": 1}}).encode()


@pytest.mark.parametrize(
    "query",
    [
        {"data": base64.b64encode(PIXEL).decode()},
        {"data": base64.urlsafe_b64encode(PIXEL).decode()},
        {"data": base64.b64encode(PIXEL).decode().rstrip("=")},
        {"writeKey": COLLECT, "event": "Email Opened", "userId": "ü??>", "properties.a": "1"},
    ],
)
def test_a_pixel_keeps_an_event(tmp_path: Path, query: dict[str, str]) -> None:
    response = ask(options(tmp_path), "GET", "/v1/pixel/track", params=query)
    assert (response.status_code, response.content) == (200, IMAGE)
    assert response.headers["Cache-Control"] == "no-store"
    (event,) = kept(tmp_path)
    assert (event["type"], event["event"], event["userId"]) == ("track", "Email Opened", "ü??>")
    assert str(event["properties"]["a"]) == "1"
    assert "writeKey" not in event


@pytest.mark.parametrize(
    "path",
    [
        "/v1/pixel/track",
        "/v1/pixel/track?data=%%%",
        "/v1/pixel/nothing?writeKey=collect-key",
        "/v1/pixel/track?writeKey=no&event=x",
        "/v1/pixel/track?" + "&".join("a=b" for _ in range(2000)),
        "/v1/pixel/track?writeKey=collect-key&" + "a." * 5000 + "b=1",
    ],
)
def test_a_pixel_answers_with_its_image_whatever_happens(tmp_path: Path, path: str) -> None:
    response = ask(options(tmp_path), "GET", path)
    assert (response.status_code, response.content) == (200, IMAGE)
    assert kept(tmp_path) == []


def test_a_page_may_send_what_its_client_asks_for_and_read_when_to_try_again(tmp_path: Path) -> None:
    asked = "authorization,x-retry-count,a-header-of-next-year"
    headers = {"Origin": SHOP, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": asked}

    async def story(client: httpx.AsyncClient) -> tuple[httpx.Response, httpx.Response, httpx.Response]:
        preflight = await client.options("/v1/t", headers=headers)
        sent = await client.post("/v1/t", json=EVENT, auth=basic(COLLECT), headers={"Origin": SHOP})
        refused = await client.post("/v1/t", json=EVENT, headers={"Origin": SHOP})
        return preflight, sent, refused

    preflight, sent, refused = run(options(tmp_path), story)
    assert preflight.status_code == 204
    assert preflight.headers["Access-Control-Allow-Headers"] == asked
    assert "Access-Control-Request-Headers" in preflight.headers["Vary"]
    for response in (preflight, sent, refused):
        assert response.headers["Access-Control-Allow-Origin"] == SHOP
        assert response.headers["Access-Control-Expose-Headers"] == "Retry-After"
        assert "Access-Control-Allow-Credentials" not in response.headers


def test_nothing_but_header_names_comes_back_from_a_preflight(tmp_path: Path) -> None:
    headers = {"Origin": SHOP, "Access-Control-Request-Headers": "x\ty; <script>"}
    response = ask(options(tmp_path), "OPTIONS", "/v1/t", headers=headers)
    assert response.headers["Access-Control-Allow-Headers"] == "authorization, content-type"


def test_what_clients_tell_of_themselves_is_forgotten(tmp_path: Path) -> None:
    assert ask(options(tmp_path), "POST", "/v1/m", content=b'{"series":[]}').status_code == 200
    assert kept(tmp_path) == []


def test_settings_name_this_server_and_nothing_else(tmp_path: Path) -> None:
    found = ask(
        options(tmp_path),
        "GET",
        f"/v1/projects/{COLLECT}/settings",
        headers={"Host": "events.example", "X-Forwarded-Proto": "https"},
    )
    assert found.json()["integrations"].keys() == {"Segment.io"}
    assert found.json()["integrations"]["Segment.io"]["apiHost"] == "events.example/v1"
    assert found.json()["integrations"]["Segment.io"]["protocol"] == "https"
    refusal(ask(options(tmp_path), "GET", "/v1/projects/no/settings"), 401, "unauthorized")


@pytest.mark.parametrize("path", ["/sourceConfig", "/sourceConfig/"])
def test_rudderstack_finds_its_source(tmp_path: Path, path: str) -> None:
    source = ask(options(tmp_path), "GET", path, params={"writeKey": COLLECT}).json()["source"]
    assert (source["enabled"], source["destinations"]) == (True, [])
    refusal(ask(options(tmp_path), "GET", path), 401, "unauthorized")


def test_the_list_of_requests_is_told_to_people_and_programs(tmp_path: Path) -> None:
    paths = ask(options(tmp_path), "GET", "/openapi.json").json()["paths"]
    page = ask(options(tmp_path), "GET", "/docs").text
    for route in ROUTES:
        assert route.method.lower() in paths[route.path]
        assert route.path in page
    assert "http://" not in page
    assert "https://" not in page


@pytest.mark.parametrize("path", ["/nothing", "/v1/nothing", "/v1/", "/profiles"])
def test_what_is_not_there_says_so(tmp_path: Path, path: str) -> None:
    refusal(ask(options(tmp_path), "POST", path, json={}), 404, "not_found")


def test_another_method_says_so(tmp_path: Path) -> None:
    refusal(ask(options(tmp_path), "GET", "/v1/track"), 405, "method_not_allowed")
    refusal(ask(options(tmp_path), "POST", "/healthz"), 405, "method_not_allowed")


def test_an_update_is_an_identify_and_its_retry_the_same(tmp_path: Path) -> None:
    async def story(client: httpx.AsyncClient) -> None:
        for number in ("7", "7", "8"):
            headers = {"Idempotency-Key": number}
            done = await client.post(
                "/customers/a%2Fb/update", json={"plan": "gold"}, headers=headers, auth=basic(UPDATE)
            )
            assert done.status_code == 200

    run(options(tmp_path), story)
    first, retry, other = kept(tmp_path)
    assert (first["type"], first["userId"], first["traits"]) == ("identify", "a/b", {"plan": "gold"})
    assert first["messageId"] == retry["messageId"] != other["messageId"]
    assert "timestamp" not in first, "a retry has the same content, whenever it comes"


@pytest.mark.parametrize(
    ("body", "who", "status", "code"),
    [
        (b"[]", UPDATE, 400, "no_traits"),
        (b"{", UPDATE, 400, "malformed_json"),
        (b"{}", COLLECT, 403, "forbidden"),
        (b"{}", "no", 401, "unauthorized"),
    ],
)
def test_a_wrong_update_is_refused(tmp_path: Path, body: bytes, who: str, status: int, code: str) -> None:
    refusal(ask(options(tmp_path), "POST", "/customers/u/update", content=body, auth=basic(who)), status, code)
    assert kept(tmp_path) == []


def test_counters_name_nobody(tmp_path: Path) -> None:
    async def story(client: httpx.AsyncClient) -> str:
        await client.post("/v1/track", json=EVENT, auth=basic(COLLECT))
        await client.get("/profiles/u1-secret")
        return (await client.get("/metrics")).text

    text = run(options(tmp_path), story)
    assert 'tidemark_api_requests_total{route="track",status="200"} 1' in text
    assert "tidemark_api_events_total 1\n" in text
    assert "u1" not in text
    assert COLLECT not in text

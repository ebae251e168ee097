"""Clients that nobody changed, as their registries have them: every call that they make is in the tables, once."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import http.server
import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
import rudderstack.analytics
import segment.analytics

from services.building import find_tool, run_tool
from tests.api.served import COLLECT, kept, listening, options
from tests.integration.stream_jobs import run_batch, write_segments

CLIENTS = Path(__file__).parent / "clients"
MODULES = CLIENTS / "node_modules"
ANALYTICS_JS = MODULES / "@segment/analytics-next/dist/umd"


class Refusing:
    """Answers the first requests for events with 503, half of them after the events were kept: the answer is lost."""

    def __init__(self, application: Any, times: int) -> None:
        self._application = application
        self._left = times

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or not self._left:
            await self._application(scope, receive, send)
            return
        self._left -= 1
        if self._left % 2:
            await self._application(scope, receive, _nobody)
        origin = dict(scope["headers"]).get(b"origin", b"*")
        cors = [(b"access-control-allow-origin", origin), (b"access-control-expose-headers", b"Retry-After")]
        body = b'{"code": "unavailable", "message": "made up by the test"}'
        headers = [*cors, (b"retry-after", b"1"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 503, "headers": headers})
        await send({"type": "http.response.body", "body": body})


async def _nobody(_message: Any) -> None:
    await asyncio.sleep(0)


@contextlib.contextmanager
def collecting(spool: Path, refusals: int = 0, **more: Any) -> Iterator[str]:
    with listening(options(spool, **more), functools.partial(Refusing, times=refusals)) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def modules() -> Path:
    if not (MODULES / ".package-lock.json").exists():
        run_tool(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=CLIENTS)
    return MODULES


def node(script: str, *arguments: str) -> Any:
    command = [find_tool("node"), str(CLIENTS / script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240, cwd=CLIENTS)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def table(folder: Path, query: str = "SELECT message_id FROM events ORDER BY ALL") -> list[Any]:
    """What a job makes of the spool: each event, and nothing that failed."""
    segments = folder / "segments"
    if not segments.exists():
        write_segments(segments)
    run_batch([f"{folder}/spool/*.ndjson"], segments, folder / "out.duckdb")
    with duckdb.connect(str(folder / "out.duckdb"), read_only=True) as connection:
        failed = connection.execute("SELECT reason, errors FROM failed_events").fetchall()
        assert failed == []
        return connection.execute(query).fetchall()


SENT = "SELECT message_id, type, coalesce(event, '') FROM events ORDER BY ALL"


@pytest.mark.parametrize("refusals", [0, 3])
@pytest.mark.parametrize("gzip", [False, True])
def test_segments_client_for_python(tmp_path: Path, refusals: int, gzip: bool) -> None:
    with collecting(tmp_path / "spool", refusals) as url:
        faults: list[Any] = []
        pace = {"upload_size": 2, "upload_interval": 0.05}
        told = {"on_error": lambda *fault: faults.append(fault)}
        client = segment.analytics.Client(COLLECT, host=url, gzip=gzip, **told, **pace)
        for number in range(5):
            client.track(user_id="u", event="Order Completed", properties={"total": number}, message_id=f"m{number}")
        client.identify(user_id="u", traits={"plan": "gold"}, message_id="m5")
        client.page(anonymous_id="a", name="Home", message_id="m6")
        client.screen(user_id="u", name="Cart", message_id="m7")
        client.group(user_id="u", group_id="acme", traits={"size": 3}, message_id="m8")
        client.alias(previous_id="old", user_id="u", message_id="m9")
        client.shutdown()
    assert faults == []
    assert table(tmp_path, SENT) == [
        *((f"m{number}", "track", "Order Completed") for number in range(5)),
        ("m5", "identify", ""),
        ("m6", "page", "Home"),
        ("m7", "screen", "Cart"),
        ("m8", "group", ""),
        ("m9", "alias", ""),
    ]
    people = "SELECT traits->>'plan', event_count FROM profiles WHERE user_id = 'u'"
    assert table(tmp_path, people) == [("gold", 9)], "all but the page of a device"
    assert table(tmp_path, "SELECT account_id, traits->>'size' FROM accounts") == [("account:acme", "3")]


@pytest.mark.parametrize("refusals", [0, 3])
def test_rudderstacks_client_for_python(tmp_path: Path, refusals: int) -> None:
    with collecting(tmp_path / "spool", refusals) as url:
        faults: list[Any] = []
        client = rudderstack.analytics.client.Client(COLLECT, host=url, on_error=lambda *fault: faults.append(fault))
        for number in range(5):
            client.track(user_id="u", event="Order Completed", message_id=f"m{number}")
        client.join()
        client.flush()
        client.shutdown()
    assert faults == []
    assert table(tmp_path) == [(f"m{number}",) for number in range(5)]


def test_a_bad_key_is_told_to_pythons_clients_once(tmp_path: Path) -> None:
    with collecting(tmp_path / "spool") as url:
        faults: list[Any] = []
        client = rudderstack.analytics.client.Client(
            "no", host=url, on_error=lambda error, _items: faults.append(error)
        )
        client.track(user_id="u", event="x")
        client.flush()
        client.shutdown()
    assert ["unauthorized" in str(fault) for fault in faults] == [True]
    assert kept(tmp_path / "spool") == []


@pytest.mark.parametrize("refusals", [0, 2])
def test_clients_for_node(tmp_path: Path, modules: Path, refusals: int) -> None:
    with collecting(tmp_path / "spool", refusals) as url:
        sent = node("server_side.mjs", url, COLLECT)
    assert len(sent) == 8
    assert table(tmp_path) == [(name,) for name in sorted(sent)]
    traits = table(tmp_path, "SELECT user_id, traits->>'plan' FROM profiles WHERE user_id IN ('node-1', 'rudder-1')")
    assert sorted(traits) == [("node-1", "gold"), ("rudder-1", "silver")]


SNIPPET = """
<!doctype html><title>shop</title><script>
window.sent = [];
var i = "analytics", analytics = window[i] = window[i] || [];
analytics.methods = ["track", "identify", "page", "group", "reset", "ready", "on", "once", "user", "setAnonymousId"];
analytics.factory = function (name) { return function () {
  if (window[i].initialized) return window[i][name].apply(window[i], arguments);
  var all = Array.prototype.slice.call(arguments); all.unshift(name); analytics.push(all); return analytics; } };
analytics.methods.forEach(function (name) { analytics[name] = analytics.factory(name); });
analytics._writeKey = "KEY"; analytics._cdn = "URL";
var script = document.createElement("script"); script.async = 1;
script.src = "URL/analytics.js/v1/KEY/analytics.min.js"; document.head.appendChild(script);
analytics._loadOptions = {};
analytics.SNIPPET_VERSION = "5.2.1";
analytics.on("track", function () {}); analytics.page("Home");
analytics.ready(function () { window.isReady = true; });
</script>
"""
RUDDER = """
<!doctype html><title>shop</title>
<script src="/@rudderstack/analytics-js/dist/npm/modern/bundled/umd/index.js"></script>
<script>
window.sent = [];
var client = new rudderanalytics.RudderAnalytics();
client.load("KEY", "URL", { configUrl: "URL", polyfillIfRequired: false, storage: { migrate: false } });
client.page("Home"); client.ready(function () { window.isReady = true; });
</script>
"""


@contextlib.contextmanager
def shop(folder: Path, page: str, url: str) -> Iterator[str]:
    """A page of another origin than the API's, and the clients' own files."""
    (folder / "index.html").write_text(page.replace("KEY", COLLECT).replace("URL", url).strip())
    (folder / "@rudderstack").symlink_to(MODULES / "@rudderstack")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_said: Any) -> None:
            """Nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://localhost:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


def browse(page: str, *steps: str) -> Any:
    chromium = shutil.which("chromium") or find_tool("chromium")
    return node("browser.mjs", chromium, page, *steps)


NAMES = "SELECT type, coalesce(event, ''), coalesce(user_id, '') FROM events ORDER BY timestamp, message_id"


@pytest.mark.parametrize("refusals", [0, 2])
def test_segments_client_in_a_browser(tmp_path: Path, modules: Path, refusals: int) -> None:
    (tmp_path / "page").mkdir()
    with (
        collecting(tmp_path / "spool", refusals, analytics_js=ANALYTICS_JS) as url,
        shop(tmp_path / "page", SNIPPET, url) as page,
    ):
        done = browse(
            f"{page}?ajs_uid=from-link",
            "wait:window.isReady",
            "analytics.track('Product Viewed', {product_id: 'p1'}).then(() => 0)",
            "analytics.identify('u1', {plan: 'gold'}).then(() => 0)",
            "analytics.track('Order Completed', {total: 3}).then(() => 0)",
            "offline",
            "analytics.track('Product Added', {product_id: 'p2'}); 0",
            "online",
            "analytics.reset(); 0",
            "analytics.page('After').then(() => 0)",
            "taken:7",
            "analytics.track('Product Removed', {product_id: 'p2'}); 0",
            "leave",
        )
    assert [text for text in done["said"] if text.startswith("error:") and "Failed to load" not in text] == []
    rows = table(tmp_path, NAMES)
    named = [(kind, name) for kind, name, _ in rows]
    tracked = ("Product Viewed", "Order Completed", "Product Added", "Product Removed")
    for expected in (("page", "Home"), ("page", "After"), *(("track", name) for name in tracked)):
        assert named.count(expected) == 1, (expected, rows)
    assert ("track", "Order Completed", "u1") in rows
    assert ("page", "After", "") in rows


BATCHES = '{"Segment.io": {deliveryStrategy: {strategy: "batching", config: {size: 100, timeout: 600000}}}}'
"""Events wait for ten minutes, or until the page is closed."""
BATCHING = SNIPPET.replace("_loadOptions = {}", f"_loadOptions = {{integrations: {BATCHES}}}")
CLOSING = ["Product Viewed", "Product Added", "Checkout Started"]
VIEWED, ADDED, STARTED = (f"analytics.track('{name}', {{product_id: 'p1'}}); 0" for name in CLOSING)
TRACKED = "SELECT event FROM events WHERE type = 'track' ORDER BY timestamp"


def test_what_waits_when_a_page_is_closed_is_sent_then(tmp_path: Path, modules: Path) -> None:
    (tmp_path / "page").mkdir()
    with (
        collecting(tmp_path / "spool", analytics_js=ANALYTICS_JS) as url,
        shop(tmp_path / "page", BATCHING, url) as page,
    ):
        browse(
            page,
            "wait:window.isReady",
            VIEWED,
            ADDED,
            STARTED,
            "wait:analytics.queue.queue.length === 0",
            "close",
            f"safe:4:{url}",
        )
    assert table(tmp_path, TRACKED) == [(name,) for name in CLOSING]
    assert len(table(tmp_path)) == 4


@pytest.mark.parametrize("refusals", [0, 2])
def test_what_could_not_be_sent_is_kept_by_the_client_until_the_page_is_opened_again(
    tmp_path: Path, modules: Path, refusals: int
) -> None:
    """The client's own queue, in the browser's storage: the network goes, the tab is closed, both come back."""
    (tmp_path / "page").mkdir()
    with (
        collecting(tmp_path / "spool", refusals, analytics_js=ANALYTICS_JS) as url,
        shop(tmp_path / "page", SNIPPET, url) as page,
    ):
        browse(
            page,
            *("wait:window.isReady", f"safe:1:{url}"),
            *("offline", VIEWED, ADDED, STARTED, "close"),
            *("open", "wait:window.isReady", f"safe:5:{url}"),
        )
    assert sorted(table(tmp_path, TRACKED)) == [(name,) for name in sorted(CLOSING)]
    assert len(table(tmp_path)) == 5, "and two pages"


@pytest.mark.parametrize("refusals", [0, 2])
def test_rudderstacks_client_in_a_browser(tmp_path: Path, modules: Path, refusals: int) -> None:
    (tmp_path / "page").mkdir()
    with collecting(tmp_path / "spool", refusals) as url, shop(tmp_path / "page", RUDDER, url) as page:
        done = browse(
            page,
            "wait:window.isReady",
            "new Promise(done => client.track('Product Viewed', {product_id: 'p1'}, done)).then(() => 0)",
            "new Promise(done => client.identify('u1', {plan: 'gold'}, done)).then(() => 0)",
            "new Promise(done => client.track('Order Completed', {total: 3}, done)).then(() => 0)",
            "taken:4",
        )
    assert [text for text in done["said"] if text.startswith("error:") and "Failed to load" not in text] == []
    rows = table(tmp_path, NAMES)
    # Not in order: an event that is sent again has the sentAt of its first attempt, and so a later time.
    named = sorted((kind, name) for kind, name, _ in rows)
    assert named == [("identify", ""), ("page", "Home"), ("track", "Order Completed"), ("track", "Product Viewed")]
    assert table(tmp_path, "SELECT traits->>'plan' FROM profiles WHERE user_id = 'u1'") == [("gold",)]


def test_rudderstacks_beacons_are_sent_when_a_page_is_closed(tmp_path: Path, modules: Path) -> None:
    """`navigator.sendBeacon`: text/plain, no header of the client's own, no answer that anybody reads."""
    beacons = "useBeacon: true, beaconQueueOptions: {maxItems: 100, flushQueueInterval: 600000}"
    (tmp_path / "page").mkdir()
    with (
        collecting(tmp_path / "spool") as url,
        shop(tmp_path / "page", RUDDER.replace("polyfillIfRequired", f"{beacons}, polyfillIfRequired"), url) as page,
    ):
        viewed, added = (f"client.track('{name}', {{product_id: 'p1'}}); 0" for name in CLOSING[:2])
        browse(page, "wait:window.isReady", viewed, added, "close", f"safe:3:{url}")
    rows = [(kind, name) for kind, name, _ in table(tmp_path, NAMES)]
    assert sorted(rows) == [("page", "Home"), ("track", "Product Added"), ("track", "Product Viewed")]

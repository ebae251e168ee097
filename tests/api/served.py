"""The application in the test's own process, without a socket: what is sent goes through ASGI as it would."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import httpx
import orjson
import uvicorn

from api.app import Application
from api.build import ApiOptions, build
from api.keys import Key, Keys
from api.server import bind, server_config

Result = TypeVar("Result")
COLLECT, READ, UPDATE, SLOW = "collect-key", "read-key", "update-key", "slow-key"
SHOP = "https://shop.example"


def key(text: str, *may: str, rate: int = 10_000, origins: tuple[str, ...] = ()) -> Key:
    return Key(text, hashlib.sha256(text.encode()).digest(), frozenset(may), rate, frozenset(origins))


KEYS = Keys(
    [
        key(COLLECT, "collect"),
        key(READ, "read"),
        key(UPDATE, "update", "collect"),
        key(SLOW, "collect", rate=1),
    ]
)


def options(folder: Path, **more: Any) -> ApiOptions:
    return ApiOptions(**{"host": "", "port": 0, "events": f"spool:{folder}", "keys": KEYS, **more})


@contextlib.asynccontextmanager
async def started(application: Application) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application, whose start and end are run as uvicorn runs them."""
    to_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    from_app: asyncio.Queue[Any] = asyncio.Queue()
    life = asyncio.create_task(application({"type": "lifespan"}, to_app.get, from_app.put))
    try:
        await to_app.put({"type": "lifespan.startup"})
        assert (await from_app.get())["type"] == "lifespan.startup.complete"
        transport = httpx.ASGITransport(app=application, raise_app_exceptions=True)  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://api.example") as client:
            yield client
    finally:
        await to_app.put({"type": "lifespan.shutdown"})
        await life


def run(given: ApiOptions, story: Callable[[httpx.AsyncClient], Awaitable[Result]]) -> Result:
    """Tells a story to an application that lives as long."""

    async def told() -> Result:
        async with started(build(given)) as client:
            return await story(client)

    return asyncio.run(told())


def ask(given: ApiOptions, method: str, path: str, **request: Any) -> httpx.Response:
    """One request to an application of its own."""

    async def story(client: httpx.AsyncClient) -> httpx.Response:
        return await client.request(method, path, **request)

    return run(given, story)


@contextlib.contextmanager
def listening(
    given: ApiOptions, around: Callable[[Application], Any] = lambda application: application
) -> Iterator[int]:
    """A real server in a thread; gives its port. `around` puts something between clients and the application."""
    listener = bind("127.0.0.1", 0)
    config = server_config(given)
    config.app = lambda: around(build(given))
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


def basic(text: str) -> httpx.BasicAuth:
    return httpx.BasicAuth(text, "")


def kept(folder: Path) -> list[Any]:
    """What the spool holds, as a reader sees it."""
    files = sorted(folder.glob("*.ndjson"))
    return [orjson.loads(line) for file in files for line in file.read_bytes().splitlines()]

"""`GET /live`: a WebSocket that tells every membership change within a second of its being written.

It only sends. A reader that is too slow is let go with 1013, to come again with `since=`: nothing is kept for it
without end. One thread reads the tables, for all who listen; it looks while anybody does.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import orjson
from starlette.responses import Response
from starlette.websockets import WebSocket, WebSocketDisconnect

from api.answers import ApiError, error_body, retry_after
from api.keys import key_of_header
from api.lookups import LookupPages, no_tables, query_instant
from api.services import Services
from pipelines.io.cache.layout import candidates
from pipelines.io.tables.lookups import ChangeFeed, TablesAwayError

LOOK_SECONDS = 0.25
MOST_WAITING = 1_000
"""Changes that may wait for one reader."""
MOST_SINCE = 10_000
MOST_LISTENERS = 1_000
TOO_SLOW = 1013
PROTOCOL = "tidemark"
_KEY = "key."
_LOGGER = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class Listener:
    """Who listens, and to what; empty: to everything. None in the queue: it was too slow."""

    segment: str = ""
    profiles: frozenset[str] = frozenset()
    queue: asyncio.Queue[dict[str, Any] | None] = field(default_factory=lambda: asyncio.Queue(MOST_WAITING + 1))

    def wants(self, change: dict[str, Any]) -> bool:
        """Whether a change is told."""
        return (not self.segment or change["segment"] == self.segment) and (
            not self.profiles or change["profile_id"] in self.profiles
        )

    def tell(self, change: dict[str, Any]) -> None:
        """Puts a change into the queue, as long as it is no more behind than it may be."""
        if self.queue.qsize() < MOST_WAITING:
            self.queue.put_nowait(change)
        elif self.queue.qsize() == MOST_WAITING:
            self.queue.put_nowait(None)


class LivePages:
    """Tells changes.

    Args:
        services: what the handlers share.
        lookups: resolves whom `profile=` means.
        feed: of the tables; None: not given.
    """

    def __init__(self, services: Services, lookups: LookupPages, feed: ChangeFeed | None) -> None:
        self._services = services
        self._lookups = lookups
        self._feed = feed
        self._listeners: set[Listener] = set()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="live")
        self._task: asyncio.Task[None] | None = None

    async def live(self, socket: WebSocket) -> None:
        try:
            self._allow(socket)
            listener = await self._listener(socket)
        except ApiError as error:
            headers = {name.decode(): value.decode() for name, value in error.headers}
            body = error_body(error.code, error.message)
            await socket.send_denial_response(Response(body, error.status, headers, "application/json"))
            return
        self._listeners.add(listener)
        try:
            await socket.accept(PROTOCOL if PROTOCOL in socket.scope["subprotocols"] else None)
            await self._tell(socket, listener)
        except (WebSocketDisconnect, RuntimeError):  # it has gone: in the middle of a text
            pass
        finally:
            self._listeners.discard(listener)

    async def close(self) -> None:
        """Ends."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._feed is not None:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._feed.close)
        self._thread.shutdown()

    def _allow(self, socket: WebSocket) -> None:
        # A browser can give no header: the key comes as a protocol beside the real one.
        offered = [one.removeprefix(_KEY) for one in socket.scope["subprotocols"] if one.startswith(_KEY)]
        given = key_of_header(socket.headers.get("authorization", "")) or (offered[0] if offered else "")
        self._services.allow(given, "read")

    async def _listener(self, socket: WebSocket) -> Listener:
        if self._feed is None:
            raise no_tables()
        if len(self._listeners) >= MOST_LISTENERS:
            raise ApiError(503, "unavailable", "too many listen", retry_after(5))
        query = socket.query_params
        profiles: frozenset[str] = frozenset()
        if query.get("profile"):
            with contextlib.suppress(ApiError):  # there are no tables yet
                profiles = frozenset(filter(None, [await self._lookups.resolve(query["profile"])]))
            profiles |= frozenset(candidates(query["profile"]))
        listener = Listener(query.get("segment", ""), profiles)
        if query.get("since"):
            since_us, feed = query_instant("since", query["since"]), self._feed
            with contextlib.suppress(TablesAwayError):
                for change in await self._in_thread(lambda: feed.since(since_us, MOST_SINCE)):
                    if listener.wants(change):
                        listener.tell(change)
        if not self._listeners:
            await self._look()  # what is there by now is no news
        if self._task is None:
            self._task = asyncio.create_task(self._look_again_and_again())
        return listener

    async def _tell(self, socket: WebSocket, listener: Listener) -> None:
        gone = asyncio.create_task(_until_gone(socket))
        try:
            while not gone.done():
                waiting = asyncio.create_task(listener.queue.get())
                await asyncio.wait({waiting, gone}, return_when=asyncio.FIRST_COMPLETED)
                if not waiting.done():
                    waiting.cancel()
                    return
                change = waiting.result()
                if change is None:
                    self._services.metrics.add("live_dropped")
                    await socket.close(TOO_SLOW, "reads too slowly; come again with since=")
                    return
                await socket.send_text(orjson.dumps(change).decode())
                self._services.metrics.add("live_changes")
        finally:
            gone.cancel()

    async def _look_again_and_again(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if self._listeners:
                await self._look()

    async def _look(self) -> None:
        feed = self._feed
        if feed is None:
            return
        try:
            news = await self._in_thread(feed.news)
        except TablesAwayError:
            return
        except Exception:
            _LOGGER.exception("looking for changes")
            return
        for change in news:
            for listener in self._listeners:
                if listener.wants(change):
                    listener.tell(change)

    async def _in_thread(self, ask: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, ask)


async def _until_gone(socket: WebSocket) -> None:
    """Reads, and forgets, what comes, until nothing can come any more."""
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        while (await socket.receive())["type"] != "websocket.disconnect":
            pass

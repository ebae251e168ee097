"""`GET /profiles/...` and `/segments/...`: from the cache where it knows, else from the tables."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import orjson
from starlette.requests import Request
from starlette.responses import Response

from api.answers import ApiError, retry_after
from api.keys import key_of_header
from api.services import Services
from api.system import careful
from pipelines.io.cache.layout import Found
from pipelines.io.cache.lookups import CacheLookups
from pipelines.io.tables.lookups import Lookups, TablesAwayError
from schemas.instants import instant_text, parse_instant_us

DEFAULT_LIMIT, MOST_MEMBERS = 100, 1000
Result = TypeVar("Result")


class LookupPages:
    """Tells who is in which segment.

    Args:
        services: what the handlers share.
        tables: of a job; None: not given.
        cache: None: not given.
    """

    def __init__(
        self,
        services: Services,
        tables: Lookups | None,
        cache: CacheLookups | None,
    ) -> None:
        self._services = services
        self._tables = tables
        self._cache = cache
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="lookups")

    async def profile(self, request: Request) -> Response:
        self._allow(request)
        now_us, identifier = self._services.now_us(), request.path_params["id"]
        if self._tables is None:
            found = await self._cached(identifier, now_us)
            if found is None:
                raise self._nothing_answers()
            if found.profile_id is None:
                raise ApiError(404, "not_found", "nobody with this id is in a segment; profiles need --tables")
            return _json({"profile_id": found.profile_id, "segments": [one.segment for one in found.memberships]})
        profile = await self._in_thread(lambda tables: tables.profile(identifier, now_us))
        if profile is None:
            raise ApiError(404, "not_found", "there is no such profile")
        return _json(profile)

    async def segments(self, request: Request) -> Response:
        self._allow(request)
        now_us, identifier = self._services.now_us(), request.path_params["id"]
        found = await self._cached(identifier, now_us)
        if found is not None and (found.profile_id is not None or self._tables is None):
            return _json({"profile_id": found.profile_id, "segments": [_membership(one) for one in found.memberships]})
        if self._tables is None:
            raise self._nothing_answers()
        answer = await self._in_thread(lambda tables: tables.segments(identifier, now_us))
        if answer is None:
            raise ApiError(404, "not_found", "there is no such profile")
        return _json({"profile_id": answer[0], "segments": answer[1]})

    async def members(self, request: Request) -> Response:
        self._allow(request)
        query = request.query_params
        segment, limit = request.path_params["name"], _limit(query.get("limit"))
        at_us = query_instant("at", query["at"]) if "at" in query else self._services.now_us()
        after = query.get("after", "")
        rows = await self._in_thread(lambda tables: tables.members(segment, at_us, after, limit + 1))
        page = rows[:limit]
        following = page[-1]["profile_id"] if len(rows) > limit else None
        return _json({"segment": segment, "at": instant_text(at_us), "members": page, "next": following})

    async def resolve(self, identifier: str) -> str | None:
        """The profile that an identifier stands for, if the cache or the tables know."""
        found = await self._cached(identifier, self._services.now_us())
        if found is not None and found.profile_id is not None:
            return found.profile_id
        return await self._in_thread(lambda tables: tables.resolve(identifier))

    async def close(self) -> None:
        """Lets go of files and connections."""
        if self._tables is not None:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._tables.close)
        if self._cache is not None:
            await self._cache.close()
        self._thread.shutdown()

    def _allow(self, request: Request) -> None:
        self._services.allow(key_of_header(request.headers.get("authorization", "")), "read")

    async def _cached(self, identifier: str, now_us: int) -> Found | None:
        """What the cache says; None: it is not there, away or incomplete, so that the tables are to be asked."""
        return None if self._cache is None else await self._cache.segments_of(identifier, now_us)

    def _nothing_answers(self) -> ApiError:
        """There are no tables, and the cache has not answered, if there is one."""
        if self._cache is None:
            return no_tables()
        return ApiError(503, "unavailable", "the cache does not answer", retry_after(5))

    async def _in_thread(self, ask: Callable[[Lookups], Result]) -> Result:
        tables = self._tables
        if tables is None:
            raise no_tables()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: ask(tables))
        except TablesAwayError:
            raise ApiError(503, "unavailable", "there are no tables yet", retry_after(1)) from None


def no_tables() -> ApiError:
    """What only the tables tell was asked for: members, changes. The cache knows profiles, one at a time."""
    return ApiError(503, "unavailable", "this server was not given --tables", retry_after(5))


def _membership(found: Any) -> dict[str, Any]:
    expires = None if found.expires_us is None else instant_text(found.expires_us)
    return {"segment": found.segment, "entered_at": instant_text(found.entered_us), "expires_at": expires}


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_LIMIT
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text[:9]) <= MOST_MEMBERS:
        raise ApiError(400, "bad_limit", f"limit: expected a number from 1 to {MOST_MEMBERS}")
    return int(text)


def query_instant(name: str, text: str) -> int:
    """An instant that a query names, microseconds since the epoch.

    Raises:
        ApiError: 400, it is none.
    """
    try:
        # In a query a plus sign reads as a space.
        return parse_instant_us(text.replace(" ", "+") if "T" in text else text)
    except (ValueError, TypeError):
        raise ApiError(400, "bad_instant", f"{name}: expected ISO 8601, such as 2026-03-01T12:00:00Z") from None


def _json(value: Any) -> Response:
    return careful(orjson.dumps(value))

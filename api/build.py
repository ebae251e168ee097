"""From options to the application of one process."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, MutableSequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Router, WebSocketRoute
from starlette.routing import Route as Path_
from starlette.types import Receive, Scope, Send

from api.answers import ApiError
from api.app import Application
from api.browser import BrowserPages
from api.customers import CustomerPages
from api.gather import Gather
from api.keys import Keys
from api.limits import Limiter
from api.live import LivePages
from api.lookups import LookupPages
from api.metrics import Metrics
from api.places import open_place
from api.routes import NAMES, ROUTES
from api.services import Services
from api.system import SystemPages
from api.webhooks import WebhookPages
from pipelines.io.cache.location import CacheLocation
from pipelines.io.cache.lookups import CacheLookups
from pipelines.io.outputs import Output
from pipelines.io.tables.lookups import ChangeFeed, Lookups
from transforms.webhooks.definition import WebhookDefinition

Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class ApiOptions:
    """What `python -m api` was asked to do, checked.

    Attributes:
        host, port: where it listens.
        events: the place for events, as `--events` names it.
        keys: who may do what.
        analytics_js: a folder of the browser client, or None.
        workers: processes.
        webhooks: definitions by name.
        tables: a job's output, for look-ups, or None.
        cache: who is in which segment, for look-ups, or None.
        log_format: how log lines look.
    """

    host: str
    port: int
    events: str
    keys: Keys
    analytics_js: Path | None = None
    workers: int = 1
    webhooks: dict[str, WebhookDefinition] = field(default_factory=dict)
    tables: Output | None = None
    cache: CacheLocation | None = None
    log_format: str = "text"


@dataclass(slots=True)
class Counters:
    """The numbers that all processes share, and the row of the next one."""

    array: MutableSequence[float]
    next_row: Any

    def take(self) -> Metrics:
        """The counters of a process that starts."""
        with self.next_row.get_lock():
            row = self.next_row.value
            self.next_row.value += 1
        return Metrics(NAMES, self.array, row)


def build(options: ApiOptions, counters: Counters | None = None) -> Application:
    """The application of one process."""
    metrics = Metrics(NAMES) if counters is None else counters.take()
    writer, failures = open_place(options.events)
    gather = Gather(writer, failures, metrics.took)
    services = Services(options.keys, Limiter(1 / options.workers), metrics, gather)
    return Application(services, _router(services, options))


def _router(services: Services, options: ApiOptions) -> Router:
    system, browser, customers = (
        SystemPages(services),
        BrowserPages(services, options.analytics_js),
        CustomerPages(services),
    )
    webhooks = WebhookPages(services, options.webhooks)
    lookups = _lookups(services, options)
    live = LivePages(services, lookups, None if options.tables is None else ChangeFeed(options.tables))
    endpoints: dict[str, Endpoint] = {
        "profile_segments": lookups.segments,
        "profile": lookups.profile,
        "members": lookups.members,
        "webhook": webhooks.take,
        "webhook_check": webhooks.check,
        "settings": browser.settings,
        "source_config": browser.source_config,
        "browser_client": browser.script,
        "browser_chunk": browser.chunk,
        "customer_update": customers.update,
        "healthz": system.healthz,
        "readyz": system.readyz,
        "metrics": system.metrics,
        "docs": system.docs,
        "openapi": system.openapi,
    }

    @contextlib.asynccontextmanager
    async def lifespan(_app: object) -> AsyncIterator[None]:
        await services.events.open()
        try:
            yield
        finally:
            await services.events.close()
            await live.close()
            await lookups.close()

    routes = [*_routes(endpoints), WebSocketRoute("/live", live.live)]
    return Router(routes, redirect_slashes=False, default=_not_found, lifespan=lifespan)


def _lookups(services: Services, options: ApiOptions) -> LookupPages:
    tables = None if options.tables is None else Lookups(options.tables)
    cache = None if options.cache is None else CacheLookups(options.cache)
    return LookupPages(services, tables, cache)


def _routes(endpoints: dict[str, Endpoint]) -> list[BaseRoute]:
    routes: list[BaseRoute] = []
    for route in sorted(ROUTES, key=lambda route: -route.path.count("/")):  # what says more comes first
        if route.name in endpoints:
            # An id may hold a slash, escaped in the address.
            path = route.path.replace("{id}", "{id:path}")
            routes.append(Path_(path, _named(route.name, endpoints[route.name]), methods=[route.method]))
            if route.name == "source_config":
                routes.append(Path_(path + "/", _named(route.name, endpoints[route.name]), methods=[route.method]))
    return routes


def _named(name: str, endpoint: Endpoint) -> Endpoint:
    async def answer(request: Request) -> Response:
        request.scope["tidemark.route"] = name
        return await endpoint(request)

    return answer


async def _not_found(scope: Scope, _receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": "there is nothing here"})
        return
    raise ApiError(404, "not_found", "there is nothing here; /docs lists what there is")

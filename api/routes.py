"""Every request that the server answers, once: routing, /openapi.json, /docs and names in /metrics follow from it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Route:
    """One kind of request.

    Attributes:
        name: in metrics and as operationId.
        method: of HTTP.
        path: with `{parameters}`.
        scope: what the key must be allowed; "" where none is asked for.
        summary: what it does, one line.
        body: of the request: "" none, else what it is.
        query: parameters -> what they say.
        answers: status -> what it means, besides the errors that all have.
        browser: whether pages of other origins may ask.
    """

    name: str
    method: str
    path: str
    scope: str
    summary: str
    body: str = ""
    query: tuple[tuple[str, str], ...] = ()
    answers: tuple[tuple[int, str], ...] = ((200, "done"),)
    browser: bool = False


_SAFE = ((200, "the events are safe"), (503, "not taken: try again after Retry-After seconds"))
_EVENT = "an event in Segment's format"


def _track(name: str) -> Route:
    return Route(
        name, "POST", f"/v1/{name}", "collect", f"Takes a {name} event; also /v1/{name[0]}.", _EVENT, (), _SAFE, True
    )


ROUTES = (
    *(_track(name) for name in ("track", "identify", "page", "screen", "group", "alias")),
    Route(
        *("batch", "POST", "/v1/batch", "collect", "Takes up to 500 KB of events; also /v1/b, /v1/import."),
        body='{"batch": [events], "context": defaults, "sentAt": instant}',
        answers=_SAFE,
        browser=True,
    ),
    Route(
        *("pixel", "GET", "/v1/pixel/{type}", "collect", "Takes an event in an address; always an image."),
        query=(("data", "base64 of the event's JSON"), ("writeKey", "the key, if `data` has none")),
        answers=((200, "a transparent GIF, whatever happened"),),
    ),
    Route(
        *("client_metrics", "POST", "/v1/m", "", "Takes what clients tell of themselves, and forgets it."), browser=True
    ),
    Route(
        *("settings", "GET", "/v1/projects/{key}/settings", "", "What analytics.js asks when it loads."), browser=True
    ),
    Route(*("source_config", "GET", "/sourceConfig", "collect", "What RudderStack's client asks first."), browser=True),
    Route(
        *("browser_client", "GET", "/analytics.js/v1/{key}/analytics.min.js", "", "analytics.js itself."), browser=True
    ),
    Route(*("browser_chunk", "GET", "/analytics-next/bundles/{file}", "", "Its parts."), browser=True),
    Route(
        *("customer_update", "POST", "/customers/{id}/update", "update", "Takes a CRM's traits of a customer."),
        body="a JSON object of traits; the header Idempotency-Key makes retries count once",
        answers=_SAFE,
    ),
    Route(
        *("webhook", "POST", "/webhooks/{name}", "", "Takes a vendor's call, signed as its definition says."),
        body="as the vendor sends it",
        answers=_SAFE,
    ),
    Route(*("webhook_check", "GET", "/webhooks/{name}", "", "Answers a vendor's check that the address is there.")),
    Route(
        *("profile", "GET", "/profiles/{id}", "read", "A profile, by profile id, user id or anonymous id."),
        answers=((200, "the profile"), (404, "nobody")),
    ),
    Route(
        *("profile_segments", "GET", "/profiles/{id}/segments", "read", "The segments that a profile is in now."),
        answers=((200, "segments with entered_at and expires_at"), (404, "nobody")),
    ),
    Route(
        *("members", "GET", "/segments/{name}/members", "read", "The members of a segment, in pages."),
        query=(
            ("at", "an instant; default: now"),
            ("after", "the last profile id of the page before"),
            ("limit", "at most 1000; default 100"),
        ),
        answers=((200, "members"),),
    ),
    Route(
        *("live", "GET", "/live", "read", "A WebSocket that tells every membership change."),
        query=(
            ("segment", "only of this segment"),
            ("profile", "only of this profile"),
            ("since", "recorded_at of the last change that was seen"),
        ),
        answers=((101, "one JSON text per change"),),
    ),
    Route(*("healthz", "GET", "/healthz", "", "Whether the process lives.")),
    Route(*("readyz", "GET", "/readyz", "", "Whether events can be taken now."), answers=((200, "yes"), (503, "no"))),
    Route(
        *("metrics", "GET", "/metrics", "", "Counters for Prometheus."),
    ),
    Route(*("docs", "GET", "/docs", "", "This list, for people.")),
    Route(*("openapi", "GET", "/openapi.json", "", "This list, as OpenAPI 3.1.")),
)
"""In the order in which they are listed."""

NAMES = (*(route.name for route in ROUTES), "preflight", "other")
"""The routes' names in metrics."""

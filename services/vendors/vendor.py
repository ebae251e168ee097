"""What the made-up vendors have in common: routes, the check of each request, faults, and a record of what was asked.

A vendor is an ASGI application (`app`), and also answers without a network: `answer` is all that it does.
"""

from __future__ import annotations

import json
import re
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote

from jsonschema import Draft202012Validator
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.vendors.faults import Faults

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
Handler = Callable[["Asked"], tuple[int, Any]]


class ConnectionLostError(Exception):
    """The client gets no answer."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request. `parts` are what stands in the path's braces."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any
    raw: bytes
    parts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of an API: `path` with names in braces, the schema of its body, the names of its query."""

    method: str
    path: str
    handler: Handler
    schema: Mapping[str, Any] | None = None
    query: tuple[str, ...] = ()

    def match(self, method: str, path: str) -> dict[str, str] | None:
        """What stands in the braces, if it is this operation."""
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", self.path)
        found = re.fullmatch(pattern, path) if method == self.method else None
        return None if found is None else {name: unquote(text) for name, text in found.groupdict().items()}


class Vendor(ABC):
    """One made-up vendor.

    Attributes:
        faults: ordered by a test.
        violations: what a client did that the API does not allow.
        asked: every request.
    """

    def __init__(self) -> None:
        self.faults = Faults()
        self.violations: list[str] = []
        self.asked: list[tuple[str, str]] = []
        self._lock = threading.Lock()
        self.operations = self.make_operations()

    @abstractmethod
    def make_operations(self) -> list[Operation]:
        """The operations of the API."""

    def error(self, status: int, title: str, detail: str = "") -> tuple[int, Any]:
        """An error in the vendor's own form."""
        return status, {"title": title, "detail": detail, "status": status}

    def refuse(self, asked: Asked) -> tuple[int, Any] | None:
        """An answer in place of any operation: to who is not let in."""
        return None

    def answer(
        self, method: str, path: str, query: str, headers: Mapping[str, str], raw: bytes
    ) -> tuple[int, Any, Mapping[str, str]]:
        """Status, body and headers of the answer to a request.

        Raises:
            ConnectionLostError: there is none.
        """
        with self._lock:
            self.asked.append((method, path))
            fault = self.faults.next(path)
            if fault is not None and fault.kind == "refused":
                raise ConnectionLostError
            if fault is not None and fault.kind == "error":
                return fault.status, fault.body, dict(fault.headers)
            status, body = self._operate(method, path, query, headers, raw)
            if fault is not None and fault.kind == "lost":
                raise ConnectionLostError
            if fault is not None:
                return fault.status, fault.body, dict(fault.headers)
            return status, body, {}

    def _operate(self, method: str, path: str, query: str, headers: Mapping[str, str], raw: bytes) -> tuple[int, Any]:
        try:
            body = json.loads(raw) if raw else None
        except ValueError:
            self.violations.append(f"{method} {path}: the body is no JSON")
            return self.error(400, "JSON Parse Error")
        for operation in self.operations:
            parts = operation.match(method, path)
            if parts is not None:
                asked = Asked(method, path, dict(parse_qsl(query)), headers, body, raw, parts)
                return self.refuse(asked) or self._checked(operation, asked)
        self.violations.append(f"{method} {path}: no such operation")
        return self.error(404, "Resource Not Found")

    def _checked(self, operation: Operation, asked: Asked) -> tuple[int, Any]:
        wrong = [f"query {name}" for name in asked.query if name not in operation.query]
        if operation.schema is not None:
            wrong += [error.message for error in Draft202012Validator(operation.schema).iter_errors(asked.body)]
        if wrong:
            self.violations += [f"{asked.method} {operation.path}: {text}" for text in wrong]
            return self.error(400, "Invalid Resource", "; ".join(wrong))
        return operation.handler(asked)

    def app(self) -> Starlette:
        """The vendor as an ASGI application."""

        async def endpoint(request: Request) -> Response:
            raw = await request.body()
            try:
                path = request.scope["raw_path"].decode()
                status, body, headers = self.answer(request.method, path, request.url.query, dict(request.headers), raw)
            except ConnectionLostError:
                raise RuntimeError("ordered: no answer") from None
            content = b"" if body is None else json.dumps(body).encode()
            return Response(content, status, dict(headers), "application/json")

        return Starlette(routes=[Route("/{path:path}", endpoint, methods=METHODS)])

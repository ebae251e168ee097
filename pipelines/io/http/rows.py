"""The rows of a source, page by page, each page whole or an error."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

from pipelines.io.http.client import ApiClient, PassingError, server_time
from transforms.pull.definition import SourceDefinition
from transforms.pull.events import first_error, rows_of
from transforms.pull.paging import PageAnswer, Pages, Parameters
from transforms.pull.window import instant_us, time_text


@dataclass(frozen=True, slots=True)
class Page:
    """Rows, and the server's clock (microseconds, UTC) when it gave them, where it tells."""

    rows: list[Any]
    server_us: int | None


def read_pages(client: ApiClient, definition: SourceDefinition, start_us: int | None) -> Iterator[Page]:
    """One pass through all pages, from changes at or after an instant on (None: everything).

    Raises:
        RequestError: a page cannot be had.
        PagingError: the pages would never end.
    """
    pages = Pages(definition.pages, _parameters(definition, start_us))
    request, url = pages.first(), definition.url

    def check(body: Any) -> None:
        fault = first_error(definition, body)
        if fault is None and rows_of(definition, body) is None:
            expected = " or ".join(f"`{'.'.join(steps) or '.'}`" for steps in definition.rows)
            fault = f"the answer has no list of rows at {expected}"
        if fault is not None:
            raise PassingError(fault)

    while True:
        url = urljoin(url, request.url) if request.url is not None else definition.url
        body, headers = client.get_json(url, request.parameters, check)
        rows = rows_of(definition, body) or []
        clock = server_time(headers)
        yield Page(rows, None if clock is None else instant_us(clock))
        following = pages.after(PageAnswer(body, len(rows), {name.lower(): value for name, value in headers.items()}))
        if following is None:
            return
        request = following


def _parameters(definition: SourceDefinition, start_us: int | None) -> Parameters:
    parameters = dict(definition.query)
    changed = definition.changed
    if changed is not None and changed.parameter and start_us is not None:
        parameters[changed.parameter] = time_text(changed, start_us)
    return parameters

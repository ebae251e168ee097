"""Where the next page is. Pure: what a page answered goes in, the next request comes out.

| kind | the next page | the end |
| --- | --- | --- |
| `link` | the header `Link: <...>; rel="next"` | no such link |
| `next` | a URL in the body | none there |
| `cursor` | a parameter with a value from the body | none there |
| `page` | a parameter that counts 1, 2, 3 | an empty page, unless a header or the body tells the number of pages |
| `offset` | a parameter that counts rows | an empty page |
| `none` | | the first page |

An empty page with a next one is no end. A next page that was read already is an error: it would go on for ever.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from transforms.pull.paths import value_at

Kind = Literal["link", "next", "cursor", "page", "offset", "none"]
Parameters = dict[str, str]
_LINK = re.compile(r"<([^>]*)>((?:\s*;\s*[\w!#$%&'*+.^`|~-]+\s*(?:=\s*(?:\"[^\"]*\"|[^\",;\s]*))?)*)\s*(?:,|$)")
_RELATION = re.compile(r";\s*rel\s*=\s*(?:\"([^\"]*)\"|([^\",;\s]*))", re.IGNORECASE)


class PagingError(Exception):
    """The pages cannot be read to their end; the text says why."""


@dataclass(frozen=True, slots=True)
class Paging:
    """How a source is paged.

    Attributes:
        kind: see the module.
        parameter: of a cursor, page or offset.
        size_parameter: that asks for a page's size; "" for none.
        size: rows a page.
        start: the first page's number, or the first offset.
        path: of the next URL or cursor in the body, or of the number of pages.
        pages_header: that tells the number of pages; "" for none.
        keep: parameters that go with a cursor; None: all of them. Shopify refuses filters beside `page_info`.
        reread: whether pages are read again until nothing new turns up: rows that change move others from page to page.
    """

    kind: Kind = "none"
    parameter: str = ""
    size_parameter: str = ""
    size: int = 100
    start: int = 1
    path: tuple[str, ...] = ()
    pages_header: str = ""
    keep: tuple[str, ...] | None = None
    reread: bool = False


@dataclass(frozen=True, slots=True)
class PageRequest:
    """A page to ask for: a URL of its own, or parameters for the source's URL."""

    parameters: Parameters
    url: str | None = None


@dataclass(frozen=True, slots=True)
class PageAnswer:
    """What came: the body, its number of rows, the headers (names in lower case)."""

    body: Any
    rows: int
    headers: Mapping[str, str] = field(default_factory=dict)


class Pages:
    """One pass through the pages.

    Args:
        paging: how.
        parameters: of the first request: the source's own, the cursor on the changed time.
    """

    def __init__(self, paging: Paging, parameters: Parameters) -> None:
        self._paging = paging
        self._first = dict(parameters)
        self._seen: set[str] = set()
        self._at = paging.start
        if paging.size_parameter:
            self._first[paging.size_parameter] = str(paging.size)
        if paging.kind in ("page", "offset"):
            self._first[paging.parameter] = str(self._at)

    def first(self) -> PageRequest:
        return PageRequest(self._first)

    def after(self, answer: PageAnswer) -> PageRequest | None:
        """The page that comes after this answer; None: it was the last.

        Raises:
            PagingError: the next page has been read already.
        """
        paging = self._paging
        if paging.kind == "link":
            return self._link(next_link(answer.headers.get("link", "")))
        if paging.kind == "next":
            return self._link(value_at(answer.body, paging.path))
        if paging.kind == "cursor":
            return self._cursor(value_at(answer.body, paging.path))
        if paging.kind == "page":
            return self._number(answer)
        if paging.kind == "offset" and answer.rows:
            # By what came, not by what was asked for: a server may give less.
            self._at += answer.rows
            return PageRequest({**self._first, paging.parameter: str(self._at)})
        return None

    def _link(self, url: Any) -> PageRequest | None:
        if url in (None, "", False):
            return None
        self._once(str(url), "next link")
        return PageRequest({}, str(url))

    def _cursor(self, value: Any) -> PageRequest | None:
        if value in (None, "", False):
            return None
        self._once(str(value), "cursor")
        keep = self._first if self._paging.keep is None else {name: self._first[name] for name in self._paging.keep}
        return PageRequest({**keep, self._paging.parameter: str(value)})

    def _number(self, answer: PageAnswer) -> PageRequest | None:
        paging = self._paging
        told = answer.headers.get(paging.pages_header.lower()) if paging.pages_header else None
        if told is None and paging.path:
            told = value_at(answer.body, paging.path)
        pages = int(str(told)) if str(told).isdecimal() else None
        last = self._at >= paging.start + pages - 1 if pages is not None else not answer.rows
        if last:
            return None
        self._at += 1
        return PageRequest({**self._first, paging.parameter: str(self._at)})

    def _once(self, what: str, name: str) -> None:
        if what in self._seen:
            raise PagingError(f"the {name} leads to a page that was read already: the pages would never end")
        self._seen.add(what)


def next_link(header: str) -> str | None:
    """The target of `rel="next"` in a `Link` header.

    >>> next_link('<https://a/?page=1>; rel="prev", <https://a/?x=1,2>; title="n"; rel="next last"')
    'https://a/?x=1,2'
    """
    for url, parameters in _LINK.findall(header):
        relation = _RELATION.search(parameters)
        if relation and "next" in (relation[1] or relation[2] or "").lower().split():
            return str(url)
    return None

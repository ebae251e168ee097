"""One pull: pages in, events out, in an order that a crash at any point does not hurt.

For each page: the versions are noted, their events are sent, then confirmed. The cursor moves at the end, over pages
that were all read. A crash before a confirmation has the next pull send the same events once more, under the same ids.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from pipelines.io.http.client import ApiClient
from pipelines.io.http.rows import Page, read_pages
from pipelines.io.pull.state import PullState
from pipelines.io.targets.target import EventTarget, OutgoingEvent
from transforms.pull.definition import SourceDefinition
from transforms.pull.events import changed_at, event_of, retract_of, to_wire
from transforms.pull.news import News, news_of
from transforms.pull.versions import Version, version_of
from transforms.pull.window import next_cursor, start_of

MOST_PASSES = 5
"""Rows that change move others from page to page; pages are read again until nothing new turns up, so often at most."""


@dataclass
class PullCounts:
    """What a pull did. `rows` counts each row once a pass; `unreadable` values by field that stayed as they were."""

    pages: int = 0
    passes: int = 0
    rows: int = 0
    new: int = 0
    changed: int = 0
    retracted: int = 0
    unreadable: Counter[str] = field(default_factory=Counter)
    settled: bool = True


class Puller:
    """Pulls a source once.

    Args:
        definition: the source.
        client: of its API.
        state: what was pulled before.
        target: where events go.
        now_us: the present, microseconds since the epoch: `receivedAt`.
        tell: is told after each page.
    """

    def __init__(
        self,
        definition: SourceDefinition,
        client: ApiClient,
        state: PullState,
        target: EventTarget,
        *,
        now_us: Callable[[], int],
        tell: Callable[[PullCounts], object] = lambda _counts: None,
    ) -> None:
        self._definition = definition
        self._client = client
        self._state = state
        self._target = target
        self._now_us = now_us
        self._tell = tell
        self.counts = PullCounts()
        self._latest_us: int | None = None
        self._began_us: int | None = None

    def pull(self, since_us: int | None = None) -> PullCounts:
        """Reads everything that changed since the last pull (or an instant), and makes its events safe.

        Raises:
            RequestError, PagingError: what was read until then is safe; the next pull begins where this one did.
            TargetError: as above.
        """
        changed = self._definition.changed
        start_us = None if changed is None else start_of(changed, self._state.cursor_us, since_us)
        while self._pass(start_us):
            if self.counts.passes >= MOST_PASSES:
                self.counts.settled = False
                return self.counts
        self._state.advance(next_cursor(self._state.cursor_us, self._latest_us, self._began_us))
        return self.counts

    def _pass(self, start_us: int | None) -> bool:
        """Reads all pages once. Whether they must be read again."""
        self.counts.passes += 1
        pages, news = 0, 0
        for page in read_pages(self._client, self._definition, start_us):
            pages += 1
            news += self._take(page)
            self._tell(self.counts)
        return self._definition.pages.reread and pages > 1 and news > 0

    def _take(self, page: Page) -> int:
        """Makes a page's events safe; returns how many rows were news."""
        if self._began_us is None:
            self._began_us = page.server_us
        self.counts.pages += 1
        self.counts.rows += len(page.rows)
        found = self._news(page.rows)
        if found:
            self._send(found)
        if self._definition.changed is not None:
            times = [changed_at(self._definition.changed, row) for row in page.rows]
            self._latest_us = max([at for at in (self._latest_us, *times) if at is not None], default=None)
        return len(found)

    def _news(self, rows: list[Any]) -> list[tuple[News, Any]]:
        versions = [version_of(self._definition, row) for row in rows]
        newest: dict[str, tuple[Version, Any]] = {}
        for version, row in zip(versions, rows, strict=True):
            other = newest.get(version.row_id)
            if other is None or version.order is None or other[0].order is None or version.order >= other[0].order:
                newest[version.row_id] = (version, row)
        known = self._state.known(list(newest))
        found = []
        for row_id, (version, row) in newest.items():
            news = news_of(version, known.get(row_id, ()))
            if news is not None:
                found.append((news, row))
        return found

    def _send(self, found: list[tuple[News, Any]]) -> None:
        at_us = self._now_us()
        sent: list[Version] = []
        past: list[Version] = []
        events: list[dict[str, Any]] = []
        for news, row in found:
            event = event_of(self._definition, row, news.version, at_us, self.counts.unreadable)
            version = replace(news.version, timestamp=str(event.get("timestamp", "")))
            sent.append(version)
            past += news.past
            events.append(event)
            if self._definition.replaces:
                events += [retract_of(self._definition, former, at_us) for former in news.past]
                self.counts.retracted += len(news.past)
            self.counts.new += not news.is_change
            self.counts.changed += news.is_change
        self._state.note(sent)
        self._target.send([_outgoing(event) for event in events])
        self._state.confirm(sent, past)


def _outgoing(event: dict[str, Any]) -> OutgoingEvent:
    key = event.get("userId") or event.get("anonymousId") or event.get("retracts") or ""
    return OutgoingEvent(to_wire(event), str(key), str(event["messageId"]))

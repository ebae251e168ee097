"""The wire: what visitors do, as messages in the order in which they arrive, with all that goes wrong on the way.

A message takes a moment to be sent and received; a few wait hours for a network, a few come twice, one in a hundred is
broken (examples/broken.py).
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from random import Random
from typing import Final

from examples.broken import BROKEN_KINDS, break_event

_DRAW_BITS: Final = 24
_DUPLICATES: Final = 0.002
_WAITING: Final = 0.004  # phones without a network
_UNTIMED: Final = 0.01  # no `timestamp`: event time follows from three others
_DAY_MS: Final = 86_400_000
_SECONDS: Final = tuple(f"T{s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}." for s in range(86_400))
_MILLISECONDS: Final = tuple(f"{ms:03d}Z" for ms in range(1000))


@lru_cache(64)
def _day(number: int) -> str:
    return datetime.fromtimestamp(number * 86_400, UTC).date().isoformat()


def iso_ms(instant_ms: int) -> str:
    """ISO 8601 with milliseconds and `Z`, as Segment writes it."""
    day, rest = divmod(instant_ms, _DAY_MS)
    second, ms = divmod(rest, 1000)
    return _day(day) + _SECONDS[second] + _MILLISECONDS[ms]


class Feed:
    """Messages on their way.

    Args:
        random: source of everything that is left to chance.
        broken: share of the messages that are broken.

    Attributes:
        count: messages made so far.
    """

    def __init__(self, random: Random, broken: float) -> None:
        self.count = 0
        self._random = random
        self._bits = random.getrandbits
        self._arriving: list[tuple[int, int, bytes]] = []
        self._delays = tuple(int(40 + random.expovariate(1 / 160)) for _ in range(1024))
        whole = 1 << _DRAW_BITS
        self._duplicate_below = int(_DUPLICATES * whole)
        self._broken_below = self._duplicate_below + int(broken * whole)
        self._waiting_below = self._broken_below + int(_WAITING * whole)
        self._special_below = self._waiting_below + int(_UNTIMED * whole)
        self._broken_kinds: list[str] = []
        self._merge: tuple[int, str, str] | None = None
        self._user_id = ""

    def send(self, at_ms: int, body: str) -> None:
        """Sends one message.

        Args:
            at_ms: event time, milliseconds since the epoch.
            body: the members of the JSON object, without messageId and instants.
        """
        bits = self._bits(128)
        message_id = f"{bits >> 64:016x}"
        sent_ms = at_ms + self._delays[bits & 1023]
        received_ms = sent_ms + self._delays[bits >> 10 & 1023]
        chance = bits >> 20 & 0xFFFFFF
        if chance < self._special_below:
            self._send_specially(chance, at_ms, sent_ms, received_ms, f'{{"messageId":"{message_id}",{body}')
            return
        # Said here once more, because nearly all messages go this way.
        self._arrive(
            received_ms,
            f'{{"messageId":"{message_id}",{body},"timestamp":"{iso_ms(at_ms)}",'
            f'"sentAt":"{iso_ms(sent_ms)}","receivedAt":"{iso_ms(received_ms)}"}}'.encode(),
        )

    def arrived(self, until_ms: int) -> Iterator[bytes]:
        """The messages that are received by an instant, in that order; each once."""
        while self._arriving and self._arriving[0][0] <= until_ms:
            yield heapq.heappop(self._arriving)[2]

    def remember_user(self, user_id: str) -> None:
        """Somebody signed in: the other user of the next alias_conflict."""
        self._user_id = user_id

    def remember_merge(self, at_ms: int, former_id: str, user_id: str) -> None:
        """An alias merged `former_id`: what the next alias_cycle or alias_conflict is about."""
        self._merge = at_ms, former_id, user_id

    def _arrive(self, received_ms: int, message: bytes) -> None:
        self.count += 1
        heapq.heappush(self._arriving, (received_ms, self.count, message))

    def _send_specially(self, chance: int, at_ms: int, sent_ms: int, received_ms: int, head: str) -> None:
        timed = f'{head},"timestamp":"{iso_ms(at_ms)}"'
        if chance < self._duplicate_below:
            first, second = _received(timed, sent_ms, received_ms), self._retry_of(timed, sent_ms, received_ms)
            self._arrive(received_ms, first)
            self._arrive(received_ms + 30_000, second)
        elif chance < self._broken_below:
            self._send_broken(at_ms, received_ms, _received(timed, sent_ms, received_ms))
        elif chance < self._waiting_below:
            waited_ms = int(self._random.expovariate(1 / 7_200_000))
            self._arrive(received_ms + waited_ms, _received(timed, sent_ms + waited_ms, received_ms + waited_ms))
        else:
            # The sender's clock is an hour behind, but by the same amount in both of its instants.
            untimed = f'{head},"originalTimestamp":"{iso_ms(at_ms - 3_600_000)}"'
            self._arrive(received_ms, _received(untimed, sent_ms - 3_600_000, received_ms))

    def _retry_of(self, timed: str, sent_ms: int, received_ms: int) -> bytes:
        """Every other duplicate is the same to the byte; the others were sent again."""
        again_ms = 0 if self._random.random() < 0.5 else 30_000
        return _received(timed, sent_ms + again_ms, received_ms + again_ms)

    def _send_broken(self, at_ms: int, received_ms: int, message: bytes) -> None:
        if not self._broken_kinds:
            self._broken_kinds = self._random.sample(BROKEN_KINDS, len(BROKEN_KINDS))
        kind = self._broken_kinds.pop()
        if kind == "conflicting_duplicate":
            self._arrive(received_ms, message)
        if kind.startswith("alias_"):
            self._send_wrong_alias(kind, at_ms, message)
            return
        self._arrive(received_ms, break_event(kind, message, self._random.random()))

    def _send_wrong_alias(self, kind: str, at_ms: int, message: bytes) -> None:
        """Keeps the message, and sends an alias beside it that cannot be."""
        self._arrive(at_ms, message)
        if self._merge is None or self._merge[2] == self._user_id:
            return
        merged_at_ms, former_id, user_id = self._merge
        at_ms = max(at_ms, merged_at_ms + 60_000)
        previous_id, other_id = (user_id, former_id) if kind == "alias_cycle" else (former_id, self._user_id)
        head = (
            f'{{"messageId":"{self._bits(64):016x}","type":"alias","previousId":"{previous_id}","userId":"{other_id}"'
        )
        self._arrive(at_ms, _received(f'{head},"timestamp":"{iso_ms(at_ms)}"', at_ms, at_ms))


def _received(head: str, sent_ms: int, received_ms: int) -> bytes:
    return f'{head},"sentAt":"{iso_ms(sent_ms)}","receivedAt":"{iso_ms(received_ms)}"}}'.encode()

"""When profiles and accounts are evaluated without an event: all at once for new rules, and everybody once a day.

To evaluate a profile that nobody has asked for takes half a millisecond, a million of them eight minutes, and events
of the same shelf wait meanwhile. New rules are worth that. The daily evaluation, by which an answer of older code does
not stand for ever, is spread over the day instead: the profiles of a shelf are cut into parts, and each (shelf, part)
has its turn.
"""

from collections.abc import Iterable, Iterator
from typing import Any
from zlib import crc32

import apache_beam as beam
from apache_beam.coders import StrUtf8Coder
from apache_beam.transforms.userstate import ReadModifyWriteStateSpec

from transforms.profiles.history_cell import REFRESH
from transforms.state.facts import Message, pack_messages
from transforms.state.outbox import Keyed
from transforms.state.shelf_dofn import EVERYONE
from transforms.stream.settings import StreamSettings

PARTS = 96
"""Of a shelf: of a million profiles on 64 shelves, 160 at a time. To find them, all keys of the shelf are looked at."""
_DAY_US = 86_400 * 1_000_000


class FindChanges(beam.DoFn):
    """At a tick: a message to every shelf of profiles and accounts for new rules, else to those whose turn it is.

    New rules are told once more at the tick after that: by then every worker has read them. `last` holds the rules of
    the last tick, up to which turn the day's had come, and whether they are to be told again. A turn that is too far
    back (a day, or that of a release which counted days) means everybody.
    """

    LAST = ReadModifyWriteStateSpec("last", StrUtf8Coder())

    def __init__(self, settings: StreamSettings) -> None:
        self._settings = settings

    def process(self, element: Keyed, last: Any = beam.DoFn.StateParam(LAST)) -> Iterator[Keyed]:
        buckets = self._settings.buckets
        now = self._settings.clock() * buckets * PARTS // _DAY_US
        rules = self._settings.rules.current().fingerprint
        before, _, again = (last.read() or f"{rules} {now}").partition("|")
        known, _, turn = before.rpartition(" ")
        changed = known != rules
        if changed or again or now - int(turn) >= buckets * PARTS:
            for bucket in range(buckets):
                yield _call(bucket, [REFRESH])
        else:
            parts: dict[int, list[int]] = {}
            for one in range(int(turn), now):
                parts.setdefault(one % buckets, []).append(one // buckets % PARTS)
            for bucket, of_shelf in parts.items():
                yield _call(bucket, [(*REFRESH, part) for part in of_shelf])
        last.write(f"{rules} {now}|again" if changed else f"{rules} {now}")


def _call(bucket: int, facts: Iterable[tuple[Any, ...]]) -> Keyed:
    return str(bucket), pack_messages([Message("", EVERYONE, fact) for fact in facts])


def called(keys: Iterable[str], calls: Iterable[Message], buckets: int) -> list[str]:
    """The keys of a shelf whose cells are meant by what `FindChanges` has said to it."""
    facts = [message.fact for message in calls]
    if not facts:
        return []
    if REFRESH in facts:
        return list(keys)
    parts = {fact[1] for fact in facts}
    return [key for key in keys if crc32(key.encode()) // buckets % PARTS in parts]

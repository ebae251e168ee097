"""The stages of the stream without a runner, on a history that is all there: each cell is told at once all it will be.

What a cell comes to does not depend on the order in which facts reach it, nor on how many come at once. So a history
goes through the same cells, a stage after the other: a stage begins when all that is said to it has been said. Work is
shared out by parts of the keys; a part's cells all stand on one shelf.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple
from zlib import crc32

from schemas.event import MESSAGE_ID, PREVIOUS_ID, TYPE, Failure
from schemas.update import RowUpdate
from transforms.deduplicate.cell import MessageIdCell, keeps_one_until, keeps_until
from transforms.deduplicate.copies import RETRACT
from transforms.failed_events import failure_id
from transforms.records import Record
from transforms.state.cell import Output
from transforms.state.facts import EVENT, Fact, Message
from transforms.state.first_cells import CellChunk, PackedCell, chunks_of, part_of
from transforms.stream.maintain import FACT_CELLS
from transforms.stream.settings import StreamSettings
from transforms.stream.settling_stages import HISTORY_CELLS, OWNER_CELLS
from transforms.stream.stages import LINKS, MESSAGES, PROFILES, failure_targets, record_targets

_CELLS: dict[str, Any] = {MESSAGES: MessageIdCell, **FACT_CELLS, **OWNER_CELLS, **HISTORY_CELLS}
_NAMED_BY = 2
"""The length of (id, id of a retract that names it)."""
_OF_FAILURE = len(Failure._fields)

_new = tuple.__new__

Said = tuple[Any, ...]
"""To the first stage the fields of a `CellChunk` whose cells have one record each, a failure's fields, or (id, id of a
retract that names it); else `Message` without its stage. Nothing but tuples, lists, texts, bytes, whole numbers, None.
"""


class Part(NamedTuple):
    """A part of a stage's cells: those of the keys whose hash is `number` modulo the number of parts."""

    stage: str
    number: int


class Spoken:
    """What is said to later stages, by part, and rows.

    Args:
        parts: how many there are.
        full: called with a part and what is said to it when that is much; it is forgotten then.
    """

    MOST = 4_000

    def __init__(self, parts: int, full: Callable[[Part, list[Said]], None]) -> None:
        self._parts = parts
        self._full = full
        self._said: dict[str, list[list[Said]]] = {}
        self._cells: list[list[PackedCell]] = [[] for _ in range(parts)]
        self.rows: list[RowUpdate] = []

    def say(self, stage: str, key: str, said: Said) -> None:
        """Says one thing to a key."""
        waiting, number = self._waiting(stage, key)
        waiting.append(said)
        if len(waiting) >= self.MOST:
            self._give(stage, number)

    def _waiting(self, stage: str, key: str) -> tuple[list[Said], int]:
        of_stage = self._said.get(stage)
        if of_stage is None:
            of_stage = self._said[stage] = [[] for _ in range(self._parts)]
        number = crc32(key.encode()) % self._parts  # as part_of, which would be called for each
        return of_stage[number], number

    def _give(self, stage: str, number: int) -> None:
        said, self._said[stage][number] = self._said[stage][number], []
        self._full(Part(stage, number), said)

    def say_cell(self, cell: PackedCell) -> None:
        """Says to the first stage what the cell of a message id is if nothing else has that id."""
        number = part_of(cell[0], self._parts)
        waiting = self._cells[number]
        waiting.append(cell)
        if len(waiting) >= self.MOST:
            self._cells[number] = []
            self._full(Part(MESSAGES, number), _as_chunks(waiting))

    def take(self, outputs: Iterable[Output]) -> None:
        """What cells say."""
        stage, key, number = "", "", 0
        waiting: list[Said] = []
        for output in outputs:
            if type(output) is not Message:
                self.rows.append(output)  # type: ignore[arg-type]
                continue
            if output[1] is not key or output[0] is not stage:  # a cell often says much to one key
                stage, key = output[0], output[1]
                waiting, number = self._waiting(stage, key)
            waiting.append(output[1:])
            if len(waiting) >= self.MOST:
                self._give(stage, number)
                stage = ""

    def close(self) -> None:
        """Nothing more is said."""
        for stage, of_stage in self._said.items():
            for number, said in enumerate(of_stage):
                if said:
                    self._give(stage, number)
        for number, cells in enumerate(self._cells):
            if cells:
                self._full(Part(MESSAGES, number), _as_chunks(cells))
        self._said = {}
        self._cells = [[] for _ in range(self._parts)]


def _as_chunks(cells: list[PackedCell]) -> list[Said]:
    return [tuple(chunk) for chunk in chunks_of(cells)]


def say_read(records: Iterable[Record], failures: Iterable[Failure], lateness_us: int, spoken: Spoken) -> None:
    """Says what was read: to the first stage, and to those after it what a record says if it stands.

    Nearly every record does. The first stage takes back what others of its message id have said (`_identified`).

    Args:
        records: what could be read.
        failures: what could not.
        lateness_us: how long after its time an event may come.
        spoken: takes what is said.
    """
    for failure in failures:
        spoken.say(MESSAGES, failure_id(failure.reason, failure.raw), tuple(failure))
    linked: dict[tuple[str, Fact], int] = {}  # nearly every event of a user says so of the same few devices
    for record in records:
        message_id = record[MESSAGE_ID]
        spoken.say_cell((message_id, keeps_one_until(record, lateness_us), MessageIdCell.packed((record,))))
        for stage, key, fact in record_targets(record):
            if stage == LINKS:
                linked[key, fact] = linked.get((key, fact), 0) + 1
            else:
                spoken.say(stage, key, (key, fact, 1, 0, EVENT))
        if record[TYPE] == RETRACT:
            spoken.say(MESSAGES, record[PREVIOUS_ID], (record[PREVIOUS_ID], message_id))
    for (key, fact), count in linked.items():
        spoken.say(LINKS, key, (key, fact, count, 0, EVENT))


class BulkStages:
    """The stages of a stream.

    Args:
        settings: of the stream.
        until_us: up to where time has passed, microseconds since the epoch; None: it has not begun.

    Attributes:
        until_us: the same, which may be told later.
        counted: by how much counters of the job have changed.
    """

    def __init__(self, settings: StreamSettings, until_us: int | None = None) -> None:
        self._settings = settings
        self.until_us = until_us
        self._horizon = settings.horizon()
        self.counted: Counter[str] = Counter()

    def cells_of(self, stage: str) -> str:
        """The name of the class of a stage's cells."""
        return str(_CELLS[stage].__name__)

    def run(self, stage: str, said: Iterable[Said], spoken: Spoken) -> Iterator[PackedCell | CellChunk]:
        """Makes the cells of a part of a stage; what follows from them goes to `spoken`.

        Args:
            stage: the stage.
            said: all that was said to the part, in any order.
            spoken: takes what the cells say.
        """
        if stage == MESSAGES:
            yield from self._deduplicate(said, spoken)
            return
        by_key: dict[str, list[Message]] = {}
        for one in said:
            message = _new(Message, (stage, *one))  # half as long as its constructor takes
            known = by_key.get(one[0])
            if known is None:
                by_key[one[0]] = [message]
            else:
                known.append(message)
        while by_key:
            key, messages = by_key.popitem()
            yield self._told(stage, key, messages, spoken)

    def _deduplicate(self, said: Iterable[Said], spoken: Spoken) -> Iterator[PackedCell | CellChunk]:
        """Nearly all cells are what they were said to be: their chunks stay packed."""
        chunks: list[CellChunk] = []
        retracts: dict[str, list[str]] = {}
        for one in said:
            if len(one) == _OF_FAILURE:
                spoken.take(Message(*target) for target in failure_targets(Failure(*one)))
            elif len(one) == _NAMED_BY:
                retracts.setdefault(one[0], []).append(one[1])
            else:
                chunks.append(CellChunk(*one))
        for message_id, packed in _take_out(chunks, retracts).items():
            yield self._identified(message_id, packed, retracts.get(message_id, []), spoken)
        yield from chunks

    def _identified(self, message_id: str, packed: list[bytes], retracts: list[str], spoken: Spoken) -> PackedCell:
        cell = MessageIdCell([])
        records = [record for one in packed for record in MessageIdCell.unpack(message_id, one).records]
        spoken.take(cell.handle(records, retracts))
        for stage, key, fact in (target for record in records for target in record_targets(record)):
            spoken.say(stage, key, (key, fact, -1, 0, EVENT))
        self._count(cell)
        return message_id, keeps_until(cell.records, self._settings.allowed_lateness_us), cell.pack()

    def _told(self, stage: str, key: str, messages: list[Message], spoken: Spoken) -> PackedCell:
        cell = _CELLS[stage](key)
        if stage in HISTORY_CELLS:
            cell.horizon = self._horizon
            self._follow(stage, cell, messages, spoken)
            due = cell.changes_at
        else:
            cell.configure(self._settings.stitch_window_us, self._settings.max_merges)
            if stage in OWNER_CELLS:
                cell.horizon = self._horizon
            spoken.take(cell.handle(messages))
            due = cell.due if stage in OWNER_CELLS and cell.will_forget() else None
        self._count(cell)
        return key, due, cell.pack()

    def _follow(self, stage: str, cell: Any, messages: list[Message], spoken: Spoken) -> None:
        """Has a history take place, and time pass after it."""
        rules, until_us, now = self._settings.rules.current(), self.until_us, self._settings.clock()
        if stage == PROFILES:
            cell.clock = until_us  # nothing was told of it yet, so all of it comes to one thing
        spoken.take(cell.handle(rules, messages, now))
        if until_us is not None and cell.due is not None and cell.due <= until_us:
            spoken.take(cell.fire(rules, until_us, now))

    def _count(self, cell: Any) -> None:
        if cell.counted:
            self.counted.update(cell.counted)
            cell.counted.clear()


def _take_out(chunks: list[CellChunk], named: Iterable[str]) -> dict[str, list[bytes]]:
    """Takes the cells out of chunks that have a key in common, or one of these: by key; none where there is none."""
    place_of: dict[str, int] = {}
    places: dict[str, set[int]] = {}
    for place, chunk in enumerate(chunks):
        for key in chunk.keys:
            if key in place_of:
                places.setdefault(key, {place_of[key]}).add(place)
            else:
                place_of[key] = place
    for key in named:
        places.setdefault(key, {place_of[key]} if key in place_of else set())
    found: dict[str, list[bytes]] = {key: [] for key in places}
    for place in sorted(set().union(*places.values())):
        chunk = chunks[place]
        for key, _, data in chunk.cells():
            if key in found:
                found[key].append(data)
        left = [(key, due) for key, due in zip(chunk.keys, chunk.dues, strict=True) if key not in found]
        chunks[place] = chunk._replace(
            keys=[key for key, _ in left], dues=[due for _, due in left], hidden=len(chunk.keys) - len(left)
        )
    return found

"""A graph that stands in for the stream's own: events become rows of `events`, all else of `failed_events`."""

from collections.abc import Iterator, Sequence

import apache_beam as beam

from pipelines.options.profiles import ProfilesOptions
from schemas.event import Event
from schemas.message import Message
from schemas.tables import FAILED_EVENTS
from schemas.update import RowUpdate, pack_updates
from transforms.failed_events import failure_row
from transforms.parse import EventParser
from transforms.stream.rows import event_update


class _ToRows(beam.DoFn):
    def __init__(self, parser: EventParser) -> None:
        self._parser = parser

    def process(self, message: Message) -> Iterator[bytes]:
        event = self._parser.parse(message.raw, message.source)
        if isinstance(event, Event):
            yield pack_updates([event_update(event, f"user:{event.user_id}", 1)])
        else:
            yield pack_updates([RowUpdate(FAILED_EVENTS.name, failure_row(event), 0)])


def events_only(
    _pipeline: beam.Pipeline, messages: Sequence[beam.PCollection[Message]], options: ProfilesOptions
) -> beam.PCollection[bytes]:
    united = messages | "Unite" >> beam.Flatten()
    return united | "ToRows" >> beam.ParDo(_ToRows(options.parser()))

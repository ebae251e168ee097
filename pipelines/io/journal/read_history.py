"""Reads the inputs of a stream: what earlier runs read (from the journal), then bounded inputs, then live ones.

First in a stream's graph. With a journal, what comes out stands in it, so a source may be told at once that its records
are safe, even where the runner keeps everything in memory.
"""

from collections.abc import Sequence
from pathlib import Path

from pipelines.io.journal.history_files import HistorySource
from pipelines.io.journal.history_first import Boot, JournaledSource, JournalSource
from pipelines.io.journal.history_tables import TableHistorySource
from pipelines.io.journal.journal import open_journal
from pipelines.io.locations import BigQueryInput, DuckDBInput, FileInput, InputLocation
from pipelines.io.stream.read_sources import ReadMessages, make_source, source_names
from pipelines.io.stream.source import StreamSource
from pipelines.io.stream.source_options import SourceOptions

_JOURNAL = "journal"
_HISTORY = FileInput | DuckDBInput | BigQueryInput


class ReadHistoryAndLive(ReadMessages):
    """As `ReadMessages`, of any inputs. The watermark waits until the bounded ones are read.

    Args:
        locations: parsed inputs.
        options: settings of the sources.
        boot: with a journal, live inputs wait until everything else is read; None: all are read side by side.
        taken_in: the journal and the bounded inputs have been read already.
    """

    def __init__(
        self,
        locations: Sequence[InputLocation],
        options: SourceOptions,
        boot: Boot | None,
        *,
        taken_in: bool = False,
    ) -> None:
        super().__init__([], options)
        sources: list[StreamSource | None] = [] if boot is None else [JournalSource(boot, options)]
        texts = [_JOURNAL] * len(sources) + [location.text for location in locations]
        for location in locations:
            history = _history(location, options, boot)
            source = history or make_source(location, options)
            if source is not None and boot is not None:
                source = JournaledSource(source, boot, options.watermark_policy, live=history is None)
            sources.append(source)
        for source, name in zip(sources, source_names(texts), strict=True):
            is_read = taken_in and not (isinstance(source, JournaledSource) and source.live)
            if source is not None and not is_read:
                self._sources.append(source)
                self._names.append(name)


def begin(folder: str, run: str, locations: Sequence[InputLocation]) -> Boot:
    """What a run of a job with these inputs begins with. Makes the journal in `folder` where there is none."""
    bounded = {location.text for location in locations if isinstance(location, _HISTORY)}
    path = Path(folder).absolute()
    journal = open_journal(path)
    journal.mend()
    return Boot(path, run, journal.last_number(), 1 + len(bounded), tuple(journal.watermarks().items()))


def _history(location: InputLocation, options: SourceOptions, boot: Boot | None) -> StreamSource | None:
    if isinstance(location, FileInput):
        return HistorySource(location, options, boot)
    return TableHistorySource(location, boot) if isinstance(location, DuckDBInput | BigQueryInput) else None

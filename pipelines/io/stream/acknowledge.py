"""Acknowledges to the sources what has reached the output.

Some runners call a bundle durable that they only hold in memory. There, a source may forget a record only once it is in
the job's own tables. Every batch that was read sends a receipt at the greatest element time read so far. When the
watermark of what was written passes that time, everything up to the batch is in the output: element times are never
before the watermark (watermark.py), so the watermark waits for each of them.

| state / timer | set | cleared |
| --- | --- | --- |
| `receipts`: (element time, token) of one source | by each receipt | when acknowledged |
| `due`: the time waited for, in event time | by the first receipt, by a firing that leaves some | by firing |

A firing waits next for the latest receipt that it leaves, not for the earliest: so they are acknowledged together, once
in a while, rather than one by one behind the stream.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.coders import BytesCoder, TupleCoder, VarIntCoder
from apache_beam.transforms.timeutil import TimeDomain
from apache_beam.transforms.userstate import BagStateSpec, TimerSpec, on_timer
from apache_beam.utils.timestamp import Timestamp

from pipelines.io.stream.source import StreamSource
from transforms.state.shelf_dofn import KEY_PARAM, TIMESTAMP_PARAM

_MILLISECOND_US = 1_000


class AcknowledgeWritten(beam.PTransform[Any, Any]):
    """Takes (receipts, written): `written` is anything that comes out of the write, held back until it is durable.

    Has no output. A receipt is acknowledged after the watermark of both has passed its time: later by once or twice the
    source's out-of-orderness, and by its idle timeout when nothing more comes.
    """

    def __init__(self, sources: Sequence[StreamSource]) -> None:
        super().__init__()
        self._sources = tuple(sources)

    def expand(self, pcolls: Any) -> Any:
        receipts, written = pcolls
        only_time = written | "KeepOnlyTime" >> beam.FlatMap(_nothing).with_output_types(tuple[int, bytes])
        _ = (
            (receipts, only_time)
            | "WaitForBoth" >> beam.Flatten()
            | "Acknowledge" >> beam.ParDo(_AcknowledgeDue(self._sources))
        )
        return beam.pvalue.PDone(written.pipeline)


def _nothing(_element: Any) -> Iterable[tuple[int, bytes]]:
    return ()


class _AcknowledgeDue(beam.DoFn):
    RECEIPTS = BagStateSpec("receipts", TupleCoder((VarIntCoder(), BytesCoder())))
    DUE = TimerSpec("due", TimeDomain.WATERMARK)

    def __init__(self, sources: tuple[StreamSource, ...]) -> None:
        self._sources = sources

    def process(
        self,
        element: tuple[int, bytes],
        timestamp: Any = TIMESTAMP_PARAM,
        receipts: Any = beam.DoFn.StateParam(RECEIPTS),
        due: Any = beam.DoFn.TimerParam(DUE),
    ) -> None:
        is_first = not any(True for _ in receipts.read())
        receipts.add((timestamp.micros, element[1]))
        if is_first:
            due.set(_after(timestamp.micros))

    @on_timer(DUE)
    def on_due(
        self,
        key: int = KEY_PARAM,
        fired: Any = TIMESTAMP_PARAM,
        receipts: Any = beam.DoFn.StateParam(RECEIPTS),
        due: Any = beam.DoFn.TimerParam(DUE),
    ) -> None:
        waiting = sorted(receipts.read())
        passed = [token for at_us, token in waiting if _after(at_us) <= fired]
        later = waiting[len(passed) :]
        if passed:
            self._sources[key].acknowledge(passed)
        receipts.clear()
        for receipt in later:
            receipts.add(receipt)
        if later:
            due.set(_after(later[-1][0]))


def _after(at_us: int) -> Timestamp:
    """The first instant that the watermark can have only once it has passed `at_us`; timers tell milliseconds."""
    return Timestamp(micros=(at_us // _MILLISECOND_US + 1) * _MILLISECOND_US)
